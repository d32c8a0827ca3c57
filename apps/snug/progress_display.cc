#include "apps/snug/progress_display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "base/units.h"

namespace snug::cli {
namespace {

constexpr int kBarCells = 24;
constexpr int kLeastCells = 4;  // fewer say nothing
constexpr const char* kClearLine = "\r\x1b[K";

std::string_view stage_text(std::string_view stage) {
  struct Row {
    std::string_view stage, text;
  };
  static constexpr Row kRows[] = {{"open", "opening the model"}, {"plan", "planning"},
                                  {"load", "loading weights"},   {"encode", "encoding the prompt"},
                                  {"denoise", "denoising"},      {"decode", "decoding"},
                                  {"write", "writing"}};
  for (const Row& row : kRows) {
    if (row.stage == stage) return row.text;
  }
  return stage;
}

// " frame 5/17, about 1.4 s left": by the frames that are done, and before the first by the plan.
std::string frames_text(const Progress& progress, double mean_frame_seconds) {
  std::string text = fmt::format(" frame {}/{}", progress.done, progress.total);
  const double frame_seconds =
      mean_frame_seconds > 0 ? mean_frame_seconds : progress.predicted_after_seconds / progress.total;
  if (frame_seconds > 0 && progress.done < progress.total) {
    const double left = frame_seconds * (progress.total - progress.done);
    text += fmt::format(", about {} left", format_seconds(left));
  }
  return text;
}

// " 8/20, 120 ms a step, about 1.4 s left"; empty for stages without steps.
std::string steps_text(const Progress& progress, double mean_step_seconds) {
  if (progress.total == 0) return {};
  if (progress.stage == "decode") return frames_text(progress, mean_step_seconds);
  std::string text = fmt::format(" {}/{}", progress.done, progress.total);
  if (progress.step_seconds > 0) text += fmt::format(", {} a step", format_seconds(progress.step_seconds));
  // Predicted until a step has been measured; what comes after denoising always is.
  const double step_seconds = mean_step_seconds > 0 ? mean_step_seconds : progress.predicted_step_seconds;
  if (step_seconds > 0 && progress.done < progress.total) {
    const double left = step_seconds * (progress.total - progress.done) + progress.predicted_after_seconds;
    text += fmt::format(", about {} left", format_seconds(left));
  }
  return text;
}

int terminal_columns() {
  winsize size = {};
  constexpr int kUsual = 80;
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

}  // namespace

ProgressDisplay::Style ProgressDisplay::suitable_style() {
  const char* const terminal = std::getenv("TERM");
  const bool redraws = terminal != nullptr && std::string_view(terminal) != "dumb";
  return ::isatty(STDERR_FILENO) == 1 && redraws ? Style::kBar : Style::kLines;
}

std::string progress_bar(const Progress& progress, double mean_step_seconds, int columns) {
  const std::string name(stage_text(progress.stage));
  const std::string text = steps_text(progress, mean_step_seconds);
  std::string bar;
  const int cells = std::min(kBarCells, columns - 1 - static_cast<int>(name.size() + text.size() + 3));
  if (progress.total > 0 && cells >= kLeastCells) {
    const auto filled = static_cast<size_t>(cells * progress.done / progress.total);
    const size_t empty = static_cast<size_t>(cells) - filled;
    bar = fmt::format(" [{}{}]", std::string(filled, '#'), std::string(empty, '.'));
  }
  return (name + bar + text).substr(0, static_cast<size_t>(std::max(columns - 1, 1)));
}

void ProgressDisplay::show(const Progress& progress) {
  note_step(progress);
  if (style_ == Style::kBar) draw(progress_bar(progress, mean_step_seconds_, terminal_columns()));
  if (style_ != Style::kLines) return;
  // Milliseconds; and what goes wrong there is told in one line alone.
  if (progress.stage == "open" || progress.stage == "plan") return;
  // Said with the number of steps, a moment later.
  if (progress.stage == "denoise" && progress.total == 0) return;
  const Clock::time_point now = Clock::now();
  const bool due =
      progress.done <= 1 || progress.done == progress.total || now - last_line_ >= std::chrono::seconds(1);
  if (!due) return;
  last_line_ = now;
  fmt::print(stderr, "{}{}\n", stage_text(progress.stage), steps_text(progress, mean_step_seconds_));
}

void ProgressDisplay::note_step(const Progress& progress) {
  if (progress.stage == "decode") {
    if (progress.total == 0) decoding_since_ = Clock::now();
    const std::chrono::duration<double> since = Clock::now() - decoding_since_;
    mean_step_seconds_ = progress.done == 0 ? 0 : since.count() / progress.done;
  } else if (progress.done == 0) {
    mean_step_seconds_ = 0;
  } else if (progress.done <= 2) {
    mean_step_seconds_ = progress.step_seconds;
  } else {
    mean_step_seconds_ += (progress.step_seconds - mean_step_seconds_) / (progress.done - 1);
  }
}

void ProgressDisplay::draw(const std::string& text) const {
  const std::string line = kClearLine + text;
  static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()));
}

void ProgressDisplay::clear() const {
  if (style_ == Style::kBar) draw({});
}

}  // namespace snug::cli
