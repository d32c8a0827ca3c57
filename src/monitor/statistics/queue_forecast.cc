#include "monitor/statistics/queue_forecast.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "monitor/statistics/quantiles.h"

namespace snug {
namespace {

constexpr size_t kMostSilentAtEnd = 2;

struct Bins {
  std::vector<double> values;
  size_t bridged = 0;
  size_t silent_at_end = 0;
};

// Empty bins get the value on the line between those with one; after the last one its own.
Bins bridge(const std::vector<std::optional<double>>& bins) {
  Bins result;
  for (size_t i = 0; i < bins.size(); ++i) {
    if (bins[i]) {
      result.values.push_back(*bins[i]);
      continue;
    }
    ++result.bridged;
    size_t next = i;
    while (next < bins.size() && !bins[next]) ++next;
    if (next == bins.size()) {
      result.silent_at_end = std::max(result.silent_at_end, next - i);
      result.values.push_back(result.values.back());
    } else {
      const double last = result.values.back();
      result.values.push_back(last + (*bins[next] - last) / static_cast<double>(next - i + 1));
    }
  }
  return result;
}

}  // namespace

const char* queue_outlook_word(QueueOutlook outlook) {
  switch (outlook) {
    case QueueOutlook::kForecast: return "forecast";
    case QueueOutlook::kTooLittleData: return "too_little_data";
    case QueueOutlook::kTooManyGaps: return "too_many_gaps";
  }
  SNUG_CHECK(false, "an outlook of the list");
}

QueueForecast forecast_queue_wait(std::span<const double> times_seconds,
                                  std::span<const double> waits_seconds, double now_seconds,
                                  const ForecastOptions& options) {
  SNUG_CHECK(times_seconds.size() == waits_seconds.size(), "a time for each wait");
  SNUG_CHECK(std::is_sorted(times_seconds.begin(), times_seconds.end()), "ascending times");
  QueueForecast result;
  // Bins are counted back from now, the newest first.
  std::vector<std::vector<double>> jobs;
  for (size_t i = times_seconds.size(); i-- > 0;) {
    SNUG_CHECK(times_seconds[i] <= now_seconds, "times up to now");
    const double bin = std::floor((now_seconds - times_seconds[i]) / kQueueBinSeconds);
    if (bin >= static_cast<double>(kMostQueueBins)) break;
    jobs.resize(std::max(jobs.size(), static_cast<size_t>(bin) + 1));
    jobs[static_cast<size_t>(bin)].push_back(waits_seconds[i]);
  }
  result.bins = jobs.size();
  if (jobs.size() < kLeastQueueBins) return result;
  std::vector<std::optional<double>> medians;
  for (size_t i = jobs.size(); i-- > 0;) medians.push_back(quantile(jobs[i], 0.5));
  const Bins bins = bridge(medians);
  result.bridged_bins = bins.bridged;
  if (bins.bridged * 4 > jobs.size() || bins.silent_at_end > kMostSilentAtEnd) {
    result.outlook = QueueOutlook::kTooManyGaps;
    return result;
  }
  result.forecast = forecast(bins.values, kQueueBinSeconds, kQueueBinsAhead, options);
  SNUG_CHECK(result.forecast, "enough bins were asked for");
  for (ForecastPoint& point : result.forecast->points) {
    point.value = std::max(0.0, point.value);
    point.low = std::max(0.0, point.low);
    point.high = std::max(0.0, point.high);
  }
  result.outlook = QueueOutlook::kForecast;
  return result;
}

}  // namespace snug
