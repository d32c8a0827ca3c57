// For the tests of this folder: noise as measured series have it, always the same for the same seed.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "monitor/statistics/repeatable_random.h"

namespace snug::testing {

// White: independent normal values. Heavy: Student's t with 3 degrees of freedom, as times on a busy machine
// are. Correlated: normal AR(1) with coefficient 0.5, as runs in a row are. All have about unit spread: the
// standard deviation is 1, and for heavy tails sqrt(3), of which a few far values are most.
enum class Noise : uint8_t { kWhite, kHeavy, kCorrelated };
inline constexpr std::array kNoises = {Noise::kWhite, Noise::kHeavy, Noise::kCorrelated};

inline std::string_view noise_name(Noise noise) {
  return noise == Noise::kWhite ? "white" : noise == Noise::kHeavy ? "heavy-tailed" : "AR(1) 0.5";
}

inline std::vector<double> ar1_noise(RepeatableRandom& random, size_t count, double coefficient) {
  std::vector<double> values(count);
  double value = random.normal();
  for (double& out : values) {
    out = value;
    value = coefficient * value + std::sqrt(1 - coefficient * coefficient) * random.normal();
  }
  return values;
}

inline double heavy_value(RepeatableRandom& random) {
  double squares = 0;
  for (int i = 0; i < 3; ++i) {
    const double z = random.normal();
    squares += z * z;
  }
  return random.normal() / std::sqrt(squares / 3);
}

inline std::vector<double> noise_series(Noise noise, RepeatableRandom& random, size_t count) {
  if (noise == Noise::kCorrelated) return ar1_noise(random, count, 0.5);
  std::vector<double> values(count);
  for (double& value : values) value = noise == Noise::kWhite ? random.normal() : heavy_value(random);
  return values;
}

// 0, step, 2 step, ...
inline std::vector<double> regular_times(size_t count, double step_seconds) {
  std::vector<double> times(count);
  for (size_t i = 0; i < count; ++i) times[i] = static_cast<double>(i) * step_seconds;
  return times;
}

}  // namespace snug::testing
