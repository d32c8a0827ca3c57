// Random numbers that are the same on every machine and with every library: the engine is one that the
// language specifies bit for bit (std::mt19937_64), the distributions, which it leaves open, are written
// here. Called by bootstrap.cc to draw samples, and by the tests of this folder to simulate series. One
// generator is for one thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>

namespace snug {

class RepeatableRandom {
 public:
  explicit RepeatableRandom(uint64_t seed) : engine_(seed) {}

  // In [0, 1), multiples of 2^-53.
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

  // In [0, count), count > 0. The product of a fraction: for counts far below 2^53 no value is favoured by
  // anything that could be measured.
  uint64_t below(uint64_t count) { return static_cast<uint64_t>(uniform() * static_cast<double>(count)); }

  // Standard normal, by Box and Muller (1958).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace snug
