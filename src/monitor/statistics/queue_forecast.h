// How long will jobs wait over the next hour. Called on the waits of jobs as they began, which come when they
// come; forecast.h wants regular values, so they are gathered in bins of five minutes first.
//
// A bin's value is the median wait of the jobs in it. A bin without a job has no value; up to a quarter of
// bins are bridged by the line between their neighbours and counted, more are too many to say anything. The
// answer is predicted. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "monitor/statistics/forecast.h"

namespace snug {

enum class QueueOutlook : uint8_t {
  kForecast,
  kTooLittleData,  // fewer than kLeastQueueBins bins between the first job and now
  kTooManyGaps,    // more than a quarter of the bins, or the last three, have no job
};
// "forecast", "too_little_data", "too_many_gaps".
const char* queue_outlook_word(QueueOutlook outlook);

struct QueueForecast {
  QueueOutlook outlook = QueueOutlook::kTooLittleData;
  std::optional<Forecast> forecast;  // of twelve points, to an hour ahead; never below 0
  size_t bins = 0, bridged_bins = 0;
};

inline constexpr double kQueueBinSeconds = 300;
inline constexpr size_t kQueueBinsAhead = 12;
inline constexpr size_t kLeastQueueBins = kQueueBinsAhead * kValuesPerStepAhead;  // eight hours
inline constexpr size_t kMostQueueBins = 288;  // a day; older jobs are left out

// `times_seconds` when each wait ended, ascending, up to `now_seconds`.
QueueForecast forecast_queue_wait(std::span<const double> times_seconds,
                                  std::span<const double> waits_seconds, double now_seconds,
                                  const ForecastOptions& options = {});

}  // namespace snug
