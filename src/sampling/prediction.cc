#include "sampling/prediction.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace snug {

Mix mix_for_picture(PredictionType prediction_type, double signal, double noise) {
  switch (prediction_type) {
    case PredictionType::kEpsilon: return {1 / signal, -noise / signal};
    case PredictionType::kV: {
      const double norm = std::hypot(signal, noise);
      return {signal / (norm * norm), -noise / norm};
    }
    case PredictionType::kSample: return {0, 1};
    case PredictionType::kFlow: return {1, -noise};
  }
  SNUG_CHECK(false, "every prediction type has a mix");
}

Mix mix_for_noise(PredictionType prediction_type, double signal, double noise) {
  switch (prediction_type) {
    case PredictionType::kEpsilon: return {0, 1};
    case PredictionType::kV: {
      const double norm = std::hypot(signal, noise);
      return {noise / (norm * norm), signal / norm};
    }
    case PredictionType::kSample: return {1 / noise, -signal / noise};
    case PredictionType::kFlow: return {1, signal};
  }
  SNUG_CHECK(false, "every prediction type has a mix");
}

void combine(std::span<float> out, std::span<const Term> terms) {
  for (const Term& term : terms) SNUG_CHECK(term.values.size() == out.size(), "latents of one length");
  // In blocks, so that sums stay in registers or the first cache and `out` may be an operand.
  constexpr size_t kBlock = 256;
  std::array<double, kBlock> sums;
  for (size_t begin = 0; begin < out.size(); begin += kBlock) {
    const size_t count = std::min(kBlock, out.size() - begin);
    sums.fill(0);
    for (const Term& term : terms) {
      const float* values = term.values.data() + begin;
      for (size_t i = 0; i < count; ++i) sums[i] += term.factor * static_cast<double>(values[i]);
    }
    for (size_t i = 0; i < count; ++i) out[begin + i] = static_cast<float>(sums[i]);
  }
}

void clamp(std::span<float> values, double limit) {
  const auto bound = static_cast<float>(limit);
  for (float& value : values) value = std::clamp(value, -bound, bound);
}

}  // namespace snug
