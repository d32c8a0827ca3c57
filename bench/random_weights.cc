#include "bench/random_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <fstream>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace snug::bench {
namespace {

// Bytes that follow from their place alone (SplitMix64 of the block number).
class RandomSource final : public ByteSource {
 public:
  RandomSource(std::string name, uint64_t size) : name_(std::move(name)), size_(size) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return size_; }

  void read_at(uint64_t offset, std::span<std::byte> out) const override {
    for (size_t i = 0; i < out.size();) {
      const uint64_t at = offset + i, first = at % kBlock;
      const auto block = std::bit_cast<std::array<std::byte, kBlock>>(four_halves(at / kBlock));
      const size_t count = std::min<size_t>(kBlock - first, out.size() - i);
      std::copy_n(block.begin() + first, count, out.begin() + static_cast<std::ptrdiff_t>(i));
      i += count;
    }
  }

 private:
  static constexpr uint64_t kBlock = sizeof(uint64_t);
  // Sign and mantissa random, exponent 2^-6 or 2^-5.
  static uint64_t four_halves(uint64_t block) {
    return (mix(block) & 0x87ff87ff87ff87ffU) | 0x2400240024002400U;
  }
  static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
  }
  std::string name_;
  uint64_t size_;
};

}  // namespace

RandomModelPart random_part(const std::string& manifest) {
  const std::string path = std::string(SNUG_SOURCE_DIR "/tests/fixtures/manifests/") + manifest + ".json";
  std::ifstream file(path);
  const auto json = nlohmann::json::parse(file);
  std::vector<StoredTensor> stored;
  uint64_t offset = 0;
  for (const auto& [name, entry] : json.at("tensors").items()) {
    const auto extents = entry.at(1).get<std::vector<int64_t>>();
    const Shape shape{std::span<const int64_t>(extents)};
    const auto bytes = static_cast<uint64_t>(bytes_of(DType::kF16, shape.elements()));
    stored.push_back({name, DType::kF16, shape, offset, bytes});
    offset += bytes;
  }
  RandomModelPart part;
  auto index = std::make_shared<WeightIndex>(manifest);
  index->add(std::make_shared<RandomSource>(manifest, offset), stored, map_diffusers(stored));
  part.weights = std::move(index);
  part.config = {path, json.at("config").dump()};
  return part;
}

}  // namespace snug::bench
