#include "apps/snug/work_display.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "base/units.h"

namespace snug::cli {
namespace {

constexpr int kCells = 24;

}  // namespace

void WorkDisplay::show(std::string_view what, int done, int all, double seconds_left) {
  if (style_ == ProgressDisplay::Style::kNone || all <= 0) return;
  done = std::clamp(done, 0, all);
  std::string text = fmt::format("{} {}/{}", what, done, all);
  if (seconds_left > 0) text += fmt::format(", at most {} left", format_seconds(seconds_left));
  if (style_ == ProgressDisplay::Style::kBar) {
    const auto filled = static_cast<size_t>(kCells * done / all);
    fmt::print(stderr, "\r\x1b[K[{}{}] {}", std::string(filled, '#'), std::string(kCells - filled, '.'),
               text);
    static_cast<void>(std::fflush(stderr));
    drawn_ = true;
    return;
  }
  const int tenths = 10 * done / all;
  if (tenths == tenths_ && what == what_) return;
  tenths_ = tenths;
  what_ = what;
  fmt::print(stderr, "{}\n", text);
}

void WorkDisplay::clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

}  // namespace snug::cli
