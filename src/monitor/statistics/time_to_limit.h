// When does a growing quantity reach a limit: the disk is full, memory is used up. Called on roll-ups.
//
// The pace is the Theil-Sen slope (trend.h). Two things make the time uncertain, and the interval has both:
// the slope's own interval, and how the quantity wanders about its pace, taken from the rises between twelve
// stretches of the series (a random walk's variance grows with the time ahead). The answer is predicted and
// holds as long as the pace does. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace snug {

enum class LimitOutlook : uint8_t {
  kReaches,
  kReached,         // the last value is at the limit or beyond
  kNotApproaching,  // no significant rise: at this pace never
  kTooFar,          // later than ten times what was watched: nothing that was seen says so much
  kTooLittleData,   // fewer than kLeastForLimit values, or no span
};
// "reaches", "reached", "not_approaching", "too_far", "too_little_data".
const char* limit_outlook_word(LimitOutlook outlook);

struct TimeToLimit {
  LimitOutlook outlook = LimitOutlook::kTooLittleData;
  // From the last sample on, only for kReaches. Nothing for `latest_seconds`: with a slower pace that is
  // still likely it takes longer than ten times what was watched.
  std::optional<double> seconds, earliest_seconds, latest_seconds;
  double slope = 0;  // of the value per second; 0 for too little data
};

inline constexpr size_t kLeastForLimit = 24;

// Reached from below: `limit` is an upper one. The interval is of 90 % or more.
TimeToLimit time_to_limit(std::span<const double> times_seconds, std::span<const double> values,
                          double limit);

}  // namespace snug
