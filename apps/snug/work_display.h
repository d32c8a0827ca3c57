// Shows on standard error how far a long command is, for work that is counted: on a terminal one line with a
// bar, redrawn; in a pipe a line a tenth at most. The pictures' own display is progress_display.h. From one
// thread.
#pragma once

#include <string>
#include <string_view>

#include "apps/snug/progress_display.h"

namespace snug::cli {

class WorkDisplay {
 public:
  explicit WorkDisplay(ProgressDisplay::Style style) : style_(style) {}
  ~WorkDisplay() { clear(); }
  WorkDisplay(const WorkDisplay&) = delete;
  WorkDisplay& operator=(const WorkDisplay&) = delete;

  // `seconds_left` 0: not known.
  void show(std::string_view what, int done, int all, double seconds_left);
  void clear();

 private:
  const ProgressDisplay::Style style_;
  std::string what_;
  int tenths_ = -1;
  bool drawn_ = false;
};

}  // namespace snug::cli
