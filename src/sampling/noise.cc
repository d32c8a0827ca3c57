#include "sampling/noise.h"

#include <cmath>
#include <numbers>

#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr size_t kWords = 624;
constexpr size_t kMiddle = 397;
constexpr size_t kBlock = 16;  // randn's vector path works on blocks of 16

// Box-Muller on 16 uniforms in place: elements j and j + 8 make the pair j.
void normal_block(std::span<float, kBlock> block) {
  constexpr float kTwoPi = 2.0F * std::numbers::pi_v<float>;
  for (size_t j = 0; j < kBlock / 2; ++j) {
    const float radius = std::sqrt(-2.0F * std::log(1.0F - block[j]));
    const float angle = kTwoPi * block[j + kBlock / 2];
    block[j] = radius * std::cos(angle);
    block[j + kBlock / 2] = radius * std::sin(angle);
  }
}

}  // namespace

TorchGenerator::TorchGenerator(uint64_t seed) {
  state_.words[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < kWords; ++i) {
    const uint32_t previous = state_.words[i - 1];
    state_.words[i] = 1812433253U * (previous ^ (previous >> 30)) + i;
  }
  state_.next_word = kWords;
}

TorchGenerator::TorchGenerator(const State& state) : state_(state) {
  if (state.next_word > kWords) {
    throw Error(ErrorCode::kCorruptModel, "a saved noise generator points past its own state",
                "the checkpoint is damaged: start the run again");
  }
}

void TorchGenerator::refill() {
  auto& words = state_.words;
  for (size_t i = 0; i < kWords; ++i) {
    const uint32_t bits = (words[i] & 0x80000000U) | (words[(i + 1) % kWords] & 0x7fffffffU);
    words[i] = words[(i + kMiddle) % kWords] ^ (bits >> 1) ^ ((bits & 1U) != 0 ? 0x9908b0dfU : 0U);
  }
  state_.next_word = 0;
}

uint32_t TorchGenerator::next_word() {
  if (state_.next_word == kWords) refill();
  uint32_t word = state_.words[state_.next_word++];
  word ^= word >> 11;
  word ^= (word << 7) & 0x9d2c5680U;
  word ^= (word << 15) & 0xefc60000U;
  return word ^ (word >> 18);
}

float TorchGenerator::next_uniform_float() { return static_cast<float>(next_word() & 0xffffffU) * 0x1p-24F; }

double TorchGenerator::next_uniform_double() {
  const uint64_t high = next_word();
  const uint64_t bits = (high << 32) | next_word();
  return static_cast<double>(bits & ((uint64_t{1} << 53) - 1)) * 0x1p-53;
}

float TorchGenerator::next_normal() {
  if (state_.spare_normal) {
    const double spare = *state_.spare_normal;
    state_.spare_normal.reset();
    return static_cast<float>(spare);
  }
  const double angle = 2.0 * std::numbers::pi * next_uniform_double();
  const double radius = std::sqrt(-2.0 * std::log1p(-next_uniform_double()));
  state_.spare_normal = radius * std::sin(angle);
  return static_cast<float>(radius * std::cos(angle));
}

void TorchGenerator::fill_uniform(std::span<float> out) {
  for (float& value : out) value = next_uniform_float();
}

void TorchGenerator::fill_normal(std::span<float> out) {
  if (out.size() < kBlock) {
    for (float& value : out) value = next_normal();
    return;
  }
  fill_uniform(out);
  size_t begin = 0;
  for (; begin + kBlock <= out.size(); begin += kBlock) normal_block(out.subspan(begin).first<kBlock>());
  if (begin == out.size()) return;
  // A remainder: the last 16 elements are drawn afresh, over those that the last full block made.
  const std::span<float, kBlock> tail = out.last<kBlock>();
  fill_uniform(tail);
  normal_block(tail);
}

BatchNoise::BatchNoise(uint64_t first_seed, int images) {
  for (int i = 0; i < images; ++i) generators_.emplace_back(first_seed + static_cast<uint64_t>(i));
}

std::vector<TorchGenerator::State> BatchNoise::states() const {
  std::vector<TorchGenerator::State> states;
  for (const TorchGenerator& generator : generators_) states.push_back(generator.state());
  return states;
}

void BatchNoise::restore(const std::vector<TorchGenerator::State>& states) {
  if (states.size() != generators_.size()) {
    throw Error(ErrorCode::kCorruptModel, "the saved noise is of another number of pictures",
                "the checkpoint is damaged or belongs to other settings: start the run again");
  }
  std::vector<TorchGenerator> generators;
  for (const TorchGenerator::State& state : states) generators.emplace_back(state);
  generators_ = std::move(generators);
}

void BatchNoise::draw(std::span<float> out) {
  SNUG_CHECK(!generators_.empty() && out.size() % generators_.size() == 0, "whole images of noise");
  const size_t per_image = out.size() / generators_.size();
  for (size_t i = 0; i < generators_.size(); ++i) {
    generators_[i].fill_normal(out.subspan(i * per_image, per_image));
  }
}

}  // namespace snug
