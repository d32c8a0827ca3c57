#include "monitor/pages/page_query.h"

#include <charconv>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kMostEdge = 1'000'000;

// A whole number from 1 to kMostEdge; 0 for anything else.
int64_t edge_of(std::string_view text) {
  int64_t edge = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), edge);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && edge > 0 && edge <= kMostEdge ? edge : 0;
}

}  // namespace

TimeWindow time_window(int64_t hours, int64_t now_ms) {
  if (hours < kLeastWindowHours || hours > kMostWindowHours) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("a time window of {} hours is not kept", hours),
                fmt::format("ask for {} to {} hours", kLeastWindowHours, kMostWindowHours));
  }
  // What ends in this very millisecond is part of it.
  return {.hours = hours, .from_ms = now_ms + 1 - hours * kHourMs, .to_ms = now_ms + 1};
}

AskedSize parse_asked_size(std::string_view text) {
  const size_t x = text.find('x');
  if (x != std::string_view::npos) {
    const AskedSize found{edge_of(text.substr(0, x)), edge_of(text.substr(x + 1))};
    if (found.width > 0 && found.height > 0) return found;
  }
  throw Error(ErrorCode::kInvalidArgument, "a resolution is two whole numbers of pixels, as in 512x768",
              "write the width, x, the height");
}

}  // namespace snug
