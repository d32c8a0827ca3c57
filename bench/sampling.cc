#include "bench/sampling.h"

#include <algorithm>
#include <cmath>
#include <ctime>

namespace snug::bench {

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double quantile_of(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<int64_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[static_cast<size_t>(std::clamp<int64_t>(rank, 1, std::ssize(values)) - 1)];
}

double least_of(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

double now_seconds(Clock clock) {
  timespec time = {};
  ::clock_gettime(clock == Clock::kWall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Sampling Sampling::exactly(int repeats, int warm_ups) {
  return {.warm_ups = warm_ups, .least = repeats, .most = repeats, .seconds = 0, .clock = Clock::kWall};
}

std::vector<std::vector<double>> sample_in_turn(const Bodies& bodies, const Sampling& sampling) {
  for (int i = 0; i < sampling.warm_ups; ++i) {
    for (const auto& body : bodies) body();
  }
  std::vector<std::vector<double>> samples(bodies.size());
  const double most_seconds = sampling.seconds * static_cast<double>(bodies.size());
  double total = 0;
  for (int i = 0; i < sampling.least || (i < sampling.most && total < most_seconds); ++i) {
    for (size_t b = 0; b < bodies.size(); ++b) {
      const double begin = now_seconds(sampling.clock);
      bodies[b]();
      samples[b].push_back(now_seconds(sampling.clock) - begin);
      total += samples[b].back();
    }
  }
  return samples;
}

}  // namespace snug::bench
