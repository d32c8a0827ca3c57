#include "sampling/noise.h"

#include <cstdio>

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using testing::read_fixture;
using testing::read_fixture_json;
using testing::worst_difference;

constexpr double kTolerance = 2e-6;  // of the fixture's README

std::vector<float> normals(uint64_t seed, size_t count) {
  std::vector<float> values(count);
  TorchGenerator(seed).fill_normal(values);
  return values;
}

TEST(TorchGenerator, GivesTorchRandn) {
  const auto tensors = read_fixture("rng/randn.safetensors");
  const auto description = read_fixture_json("rng/randn.json");
  double worst = 0;
  for (const auto& entry : description.at("randn")) {
    const auto seed = entry.at("seed").get<uint64_t>();
    const auto size = entry.at("size").get<size_t>();
    const std::string name = "randn." + std::to_string(seed) + "." + std::to_string(size);
    const std::vector<float> values = normals(seed, size);
    if (const auto whole = tensors.find(name); whole != tensors.end()) {
      worst = std::max(worst, worst_difference(values, whole->second.floats()));
      continue;
    }
    const std::span<const float> all = values;
    worst = std::max(worst, worst_difference(all.first(64), tensors.at(name + ".first64").floats()));
    worst = std::max(worst, worst_difference(all.last(64), tensors.at(name + ".last64").floats()));
  }
  worst = std::max(worst, worst_difference(normals(42, size_t{4} * 64 * 64), tensors.at("latents").floats()));
  std::printf("parity torch.randn: worst %.2g (tolerance %.2g)\n", worst, kTolerance);
  EXPECT_LE(worst, kTolerance);
}

TEST(TorchGenerator, GivesTorchRandExactly) {
  int compared = 0;
  for (const auto& [name, tensor] : read_fixture("rng/randn.safetensors")) {
    if (!name.starts_with("rand.")) continue;
    std::vector<float> values(tensor.floats().size());
    TorchGenerator(std::stoull(name.substr(5))).fill_uniform(values);
    EXPECT_EQ(worst_difference(values, tensor.floats()), 0) << name;
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

TEST(TorchGenerator, KeepsItsSpareAcrossCallsOfAnySize) {
  const auto tensors = read_fixture("rng/randn.safetensors");
  const auto sequence = read_fixture_json("rng/randn.json").at("sequence");
  TorchGenerator generator(sequence.at("seed").get<uint64_t>());
  double worst = 0;
  int call = 0;
  for (const auto& size : sequence.at("sizes")) {
    std::vector<float> values(size.get<size_t>());
    generator = TorchGenerator(generator.state());  // and through a checkpoint
    generator.fill_normal(values);
    worst =
        std::max(worst, worst_difference(values, tensors.at("sequence." + std::to_string(call++)).floats()));
  }
  std::printf("parity torch.randn sequence: worst %.2g (tolerance %.2g)\n", worst, kTolerance);
  EXPECT_LE(worst, kTolerance);
}

TEST(TorchGenerator, RefusesADamagedState) {
  TorchGenerator::State state = TorchGenerator(1).state();
  state.next_word = 625;
  EXPECT_THROW(TorchGenerator{state}, Error);
}

TEST(BatchNoise, GivesImageIThePictureOfSeedPlusI) {
  std::vector<float> batch(3 * 64);
  BatchNoise noise(7, 3);
  noise.draw(batch);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(worst_difference(std::span(batch).subspan(i * 64, 64), normals(7 + i, 64)), 0);
  }
}

}  // namespace
}  // namespace snug
