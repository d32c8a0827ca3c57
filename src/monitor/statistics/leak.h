// Does resident memory leak. Called on the samples of one process, from its start or a restart of the watch
// on.
//
// Memory grows for reasons that are no leak: warm-up that levels off, a cache that fills and is dropped, a
// model that is loaded. What a leak is here: the floor keeps rising. The test, in this order:
//   1. The samples' span is cut into 48 equal windows, of each only the least value counts: the floor. Noise
//   and
//      everything that is freed again within a window is gone.
//   2. Theil-Sen and Mann-Kendall (trend.h) on the floor of the second half; the first is warm-up. No
//      significant rise along a line, or one of less than `least_growth_bytes`: steady.
//   3. The floor of the last nine tenths must not have fallen, at any time, by half of what it rose over the
//      second half: falls_back. What falls by so much is filled again, not leaked.
//   4. Each third of the second half must rise, by at least 30 % of the half's slope: a rise that one or two
//      steps explain is uneven.
//   5. The last third must rise by at least 60 % of the first, or less by no more than chance explains:
//      levelling_off; also where 2. sees no line because the rise is so plainly bent.
//
// What cannot be told apart and is called a leak: a cache that fills for longer than the watch and was never
// dropped; warm-up that at the end of the watch still has most of its pace (time constant above a third of
// the watch); a step in each third.
//
// Bytes as doubles. Times are seconds, ascending; anything else is a bug. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace snug {

enum class LeakVerdict : uint8_t {
  kTooLittleData,  // fewer than kLeastForLeak samples, no span, or a quarter of the windows empty
  kSteady,         // a step is steady too, before and after
  kFallsBack,
  kUneven,
  kLevellingOff,
  kLeaking,
};
// "too_little_data", "steady", "falls_back", "uneven", "levelling_off", "leaking".
const char* leak_verdict_word(LeakVerdict verdict);

struct LeakOptions {
  double least_growth_bytes = 4 << 20;  // over the second half; an allocator's own doings are below
  double significance = 0.01;
  double confidence = 0.95;
};

struct LeakFinding {
  LeakVerdict verdict = LeakVerdict::kTooLittleData;
  bool leaking = false;
  // Of the floor over the second half, with its interval; 0 and p 1 for too little data. They say nothing of
  // a leak unless `leaking`.
  double bytes_per_hour = 0, bytes_per_hour_low = 0, bytes_per_hour_high = 0;
  double p_value = 1;
  double watched_seconds = 0;
};

inline constexpr size_t kLeastForLeak = 96;  // two samples a window

LeakFinding find_leak(std::span<const double> times_seconds, std::span<const double> bytes,
                      const LeakOptions& options = {});

}  // namespace snug
