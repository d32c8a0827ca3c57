#include "monitor/statistics/leak.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "monitor/statistics/quantiles.h"
#include "monitor/statistics/trend.h"

namespace snug {
namespace {

constexpr size_t kWindows = 48;
constexpr double kLeastShareOfSlope = 0.3;  // of each third
constexpr double kLeastShareAtEnd = 0.6;    // of the last third, of the first one's slope
constexpr double kMostFall = 0.5;           // of the rise over the second half
constexpr double kWarmUpShare = 0.1;        // of the watch, in which the floor may fall as it likes

// The least value of each window that has one, at the window's middle.
Series floor_of(std::span<const double> times, std::span<const double> bytes) {
  const double start = times.front(), width = (times.back() - start) / kWindows;
  Series floor;
  size_t i = 0;
  for (size_t window = 0; window < kWindows; ++window) {
    const double end = window + 1 == kWindows ? INFINITY : start + width * static_cast<double>(window + 1);
    const size_t first = i;
    while (i < times.size() && times[i] < end) ++i;
    if (i == first) continue;
    floor.times_seconds.push_back(start + width * (static_cast<double>(window) + 0.5));
    floor.values.push_back(*std::min_element(bytes.data() + first, bytes.data() + i));
  }
  return floor;
}

double largest_fall(std::span<const double> values) {
  double highest = values.front(), fall = 0;
  for (double value : values) {
    highest = std::max(highest, value);
    fall = std::max(fall, highest - value);
  }
  return fall;
}

struct Slope {
  double slope = 0;
  double error = 0;  // standard, of a fitted line's slope with the residuals' deviation
};

// Of a third: too few points for find_trend, and no test is made of it alone.
Slope slope_of(std::span<const double> times, std::span<const double> values) {
  std::vector<double> slopes;
  for (size_t i = 0; i < times.size(); ++i)
    for (size_t j = i + 1; j < times.size(); ++j)
      slopes.push_back((values[j] - values[i]) / (times[j] - times[i]));
  Slope result{.slope = median_in_place(slopes)};
  const auto n = static_cast<double>(times.size());
  double mean = 0, spread = 0, offset = 0, squares = 0;
  for (double time : times) mean += time / n;
  for (size_t i = 0; i < times.size(); ++i) offset += (values[i] - result.slope * times[i]) / n;
  for (size_t i = 0; i < times.size(); ++i) {
    const double residual = values[i] - result.slope * times[i] - offset;
    squares += residual * residual;
    spread += (times[i] - mean) * (times[i] - mean);
  }
  result.error = std::sqrt(squares / (n - 2) / spread);
  return result;
}

LeakVerdict judge(const Series& floor, const Series& half, const Trend& trend, const LeakOptions& options) {
  const double growth = trend.slope * (half.times_seconds.back() - half.times_seconds.front());
  if (growth < options.least_growth_bytes) return LeakVerdict::kSteady;
  const size_t n = half.values.size();
  Slope thirds[3];
  for (size_t k = 0; k < 3; ++k) {
    const size_t first = k * n / 3, count = (k + 1) * n / 3 - first;
    thirds[k] = slope_of(std::span(half.times_seconds).subspan(first, count),
                         std::span(half.values).subspan(first, count));
  }
  const double error = std::hypot(thirds[0].error, thirds[2].error);
  const bool slower =
      thirds[2].slope < kLeastShareAtEnd * thirds[0].slope && thirds[0].slope - thirds[2].slope > 2 * error;
  if (!trend.significant || trend.slope_low <= 0) {
    const bool bent = slower && thirds[0].slope > 4 * error && thirds[1].slope > 4 * thirds[1].error;
    return bent ? LeakVerdict::kLevellingOff : LeakVerdict::kSteady;
  }
  const auto warm = static_cast<size_t>(kWarmUpShare * static_cast<double>(floor.values.size()));
  if (largest_fall(std::span(floor.values).subspan(warm)) > kMostFall * growth)
    return LeakVerdict::kFallsBack;
  // The end is judged by step 5: what levels off would else be called uneven.
  for (size_t k = 0; k < 2; ++k)
    if (thirds[k].slope < kLeastShareOfSlope * trend.slope) return LeakVerdict::kUneven;
  if (slower || thirds[2].slope < kLeastShareOfSlope * trend.slope) return LeakVerdict::kLevellingOff;
  return LeakVerdict::kLeaking;
}

}  // namespace

const char* leak_verdict_word(LeakVerdict verdict) {
  switch (verdict) {
    case LeakVerdict::kTooLittleData: return "too_little_data";
    case LeakVerdict::kSteady: return "steady";
    case LeakVerdict::kFallsBack: return "falls_back";
    case LeakVerdict::kUneven: return "uneven";
    case LeakVerdict::kLevellingOff: return "levelling_off";
    case LeakVerdict::kLeaking: return "leaking";
  }
  SNUG_CHECK(false, "a verdict of the list");
}

LeakFinding find_leak(std::span<const double> times_seconds, std::span<const double> bytes,
                      const LeakOptions& options) {
  SNUG_CHECK(times_seconds.size() == bytes.size(), "a time for each value");
  SNUG_CHECK(std::is_sorted(times_seconds.begin(), times_seconds.end()), "ascending times");
  LeakFinding finding;
  if (bytes.size() < kLeastForLeak) return finding;
  finding.watched_seconds = times_seconds.back() - times_seconds.front();
  if (finding.watched_seconds <= 0) return finding;
  const Series floor = floor_of(times_seconds, bytes);
  Series half;
  const double middle = times_seconds.front() + finding.watched_seconds / 2;
  for (size_t i = 0; i < floor.values.size(); ++i) {
    if (floor.times_seconds[i] < middle) continue;
    half.times_seconds.push_back(floor.times_seconds[i]);
    half.values.push_back(floor.values[i]);
  }
  if (floor.values.size() < kWindows * 3 / 4 || half.values.size() < kWindows * 3 / 8) return finding;
  const std::optional<Trend> trend =
      find_trend(half.times_seconds, half.values,
                 {.confidence = options.confidence, .significance = options.significance});
  if (!trend) return finding;
  finding.bytes_per_hour = trend->slope * 3600;
  finding.bytes_per_hour_low = trend->slope_low * 3600;
  finding.bytes_per_hour_high = trend->slope_high * 3600;
  finding.p_value = trend->p_value;
  finding.verdict = judge(floor, half, *trend, options);
  finding.leaking = finding.verdict == LeakVerdict::kLeaking;
  return finding;
}

}  // namespace snug
