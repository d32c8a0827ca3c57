// What the pages of the performance API are asked with, checked. Read by performance.h from the server's
// queries and the commands' flags, so that both refuse the same things in the same words.
//
// Everything wrong throws Error invalid_argument.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace snug {

inline constexpr int64_t kLeastWindowHours = 1, kMostWindowHours = 168, kUsualWindowHours = 24;

// The hours before now. Times are milliseconds since 1970, UTC; `to_ms` is not part of it.
struct TimeWindow {
  int64_t hours = kUsualWindowHours;
  int64_t from_ms = 0, to_ms = 0;
};
TimeWindow time_window(int64_t hours, int64_t now_ms);

// Whose jobs may be named. Figures of the whole machine are for every reader.
struct Viewer {
  std::string owner;  // empty: everybody's may
  bool may_name(std::string_view of_owner) const { return owner.empty() || owner == of_owner; }
};

// Which records `metrics` and `snug history` list.
struct TaskQuery {
  int64_t window_hours = kUsualWindowHours;
  std::string model_type;  // an architecture, or a model's name; empty: any
  std::string resolution;  // "512x768"; empty: any
  bool success_only = false;
  std::string before;   // id; only jobs that were asked for earlier
  int64_t limit = 500;  // 1 .. kMostTasks
};
inline constexpr int64_t kMostTasks = 10'000;

struct AskedSize {
  int64_t width = 0, height = 0;  // pixels
};
// "512x768".
AskedSize parse_asked_size(std::string_view text);

}  // namespace snug
