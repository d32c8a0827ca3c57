// Shows where a run is, on standard error: on a terminal one line that is redrawn, with a bar, the time of
// the last step and the time left, from the plan's predictions until steps have been measured; in a pipe a
// plain line for each stage from loading on and, of steps and of a clip's frames, at most one a second.
#pragma once

#include <chrono>
#include <string>

#include "pipeline/generate.h"

namespace snug::cli {

class ProgressDisplay {
 public:
  enum class Style { kNone, kLines, kBar };
  // kBar when standard error is a terminal that can redraw a line, else kLines.
  static Style suitable_style();

  explicit ProgressDisplay(Style style) : style_(style) {}
  // Leaves the terminal's line empty.
  ~ProgressDisplay() { clear(); }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void show(const Progress& progress);
  // Takes the bar away, before other lines are printed. Safe from another thread than show's.
  void clear() const;

 private:
  using Clock = std::chrono::steady_clock;
  void note_step(const Progress& progress);
  void draw(const std::string& text) const;

  Style style_;
  double mean_step_seconds_ = 0;  // of all steps so far but the first, which also warms up; of frames: of all
  Clock::time_point decoding_since_;
  Clock::time_point last_line_;
};

// "denoising [####....] 8/20, 120 ms a step, about 1.4 s left" in at most `columns` characters; without the
// bar when there is no room for it. `mean_step_seconds` 0: none is measured yet. While a clip is decoded,
// "decoding [####....] frame 5/17, about 1.4 s left", and the mean is that of frames.
std::string progress_bar(const Progress& progress, double mean_step_seconds, int columns);

}  // namespace snug::cli
