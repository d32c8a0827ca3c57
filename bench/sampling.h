// How the benchmarks take time: warm-up, then several things in turn, so that what else the machine does in
// the meantime disturbs all of them alike; and what is said of the samples.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace snug::bench {

// Of no values: 0.
double median_of(std::vector<double> values);
// The smallest value that at least that share (0 to 1) of the values does not exceed.
double quantile_of(std::vector<double> values, double share);
double least_of(const std::vector<double>& values);

enum class Clock {
  kWall,
  // Of all threads of this process: stays comparable on a busy machine, where one thread runs.
  kProcessor,
};
double now_seconds(Clock clock);

struct Sampling {
  int warm_ups = 1;  // runs that do not count
  // At least `least`, then until `seconds` are used up for each body, at most `most`.
  int least = 5, most = 1000;
  double seconds = 0.25;
  Clock clock = Clock::kWall;

  // Exactly so many.
  static Sampling exactly(int repeats, int warm_ups = 1);
};

using Bodies = std::vector<std::function<void()>>;

// Seconds of each run of each body, in the order of the bodies. Throws what a body throws.
std::vector<std::vector<double>> sample_in_turn(const Bodies& bodies, const Sampling& sampling);

}  // namespace snug::bench
