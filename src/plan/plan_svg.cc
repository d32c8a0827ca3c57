#include "plan/plan_svg.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/units.h"
#include "plan/svg.h"

namespace snug {
namespace {

constexpr double kWidthPx = 1280, kHeightPx = 700;
constexpr SvgRect kMemory = {90, 60, 1010, 460};  // the plot of memory
constexpr double kLaneHeightPx = 26, kKernelsTopPx = 545, kReadsTopPx = 583, kLanesEndPx = 609;
constexpr double kBreakPx = 44;  // stands for the runs that are not drawn
constexpr double kLegendPx = 1118;
constexpr double kLeastPx = 0.4;        // thinner things would vanish
constexpr double kHintPx = 3;           // what a pointer can hit has its name
constexpr double kTickPx = 70;          // between labels of time
constexpr double kLabelPx = 46;         // least width of a phase for its name
constexpr double kBudgetInSight = 1.3;  // times the peak
constexpr double kHeadroom = 1.06;

constexpr std::array<std::string_view, kBufferKinds> kColours = {"#4c9be8", "#e07b39", "#8e6bbf", "#f2b134",
                                                                 "#7fc8a9", "#2e8b6f", "#c2599b"};
constexpr std::string_view kProcessColour = "#8a8a8a", kHostColour = "#bdbdbd", kKernelColour = "#3b6ea5",
                           kReadColour = "#f2b134", kWaitColour = "#d64545", kEmpty = "#f4f4f4";

// A run of a phase that is drawn at the scale of time.
struct Stretch {
  size_t phase = 0;
  const RunTimes* times = nullptr;
  double seconds = 0;        // it takes
  double begin_seconds = 0;  // since the run's begin
  double x = 0;
};

class Drawing {
 public:
  Drawing(const Plan& plan, const PlanFigures& figures, uint64_t budget_bytes, const std::string& title)
      : plan_(plan),
        figures_(figures),
        budget_bytes_(budget_bytes),
        svg_(kWidthPx, kHeightPx, title),
        base_bytes_(plan.process_bytes + plan.host_bytes) {
    svg_.text(kMemory.x, 24, title, 17);
    svg_.text(kMemory.x, 41, "all figures predicted; memory of the whole process over time", 12);
    const double peak = std::max<double>(1, static_cast<double>(plan.peak_bytes()));
    const auto budget = static_cast<double>(budget_bytes);
    top_bytes_ = (budget <= peak * kBudgetInSight ? std::max(budget, peak) : peak) * kHeadroom;
    lay_out();
  }

  std::string draw() && {
    svg_.rect(kMemory, kEmpty, "axes");
    draw_memory_axis();
    draw_base();
    for (const Buffer& buffer : plan_.buffers) draw_buffer(buffer);
    draw_budget();
    draw_lanes();
    draw_breaks();
    draw_time_axis();
    draw_legend();
    return std::move(svg_).finish();
  }

 private:
  // Where on the paper each phase lies.
  void lay_out() {
    double seconds = 0, drawn = 0;
    int breaks = 0;
    for (size_t p = 0; p < plan_.phases.size(); ++p) {
      const Phase& phase = plan_.phases[p];
      const PhaseFigures& own = figures_.phases[p];
      stretches_.push_back({p, &own.first, own.first.first_run_seconds, seconds, 0});
      drawn += own.first.first_run_seconds;
      if (phase.runs() > 1) {
        stretches_.push_back(
            {p, &own.later, own.later.later_run_seconds, seconds + own.first.first_run_seconds, 0});
        drawn += own.later.later_run_seconds;
      }
      if (phase.runs() > 2) ++breaks;
      seconds += own.first.first_run_seconds + (phase.runs() - 1) * own.later.later_run_seconds;
    }
    end_seconds_ = seconds;
    px_per_second_ = (kMemory.width - breaks * kBreakPx) / std::max(drawn, 1e-9);
    double x = kMemory.x;
    phase_x_.assign(plan_.phases.size(), {0, 0});
    for (size_t s = 0; s < stretches_.size(); ++s) {
      Stretch& stretch = stretches_[s];
      stretch.x = x;
      x += stretch.seconds * px_per_second_;
      const bool first = s == 0 || stretches_[s - 1].phase != stretch.phase;
      const bool last = s + 1 == stretches_.size() || stretches_[s + 1].phase != stretch.phase;
      if (first) phase_x_[stretch.phase].first = stretch.x;
      if (last && plan_.phases[stretch.phase].runs() > 2) x += kBreakPx;
      if (last) phase_x_[stretch.phase].second = x;
    }
  }

  double height_of(double bytes) const { return bytes / top_bytes_ * kMemory.height; }
  double y_of(double bytes) const { return kMemory.y + kMemory.height - height_of(bytes); }
  double x_of(const Stretch& stretch, double seconds) const {
    return stretch.x + std::clamp(seconds, 0.0, stretch.seconds) * px_per_second_;
  }

  // A rectangle from x0 to x1, not thinner than can be seen, inside the plot.
  static SvgRect span(double x0, double x1, double y, double height) {
    const double right = kMemory.x + kMemory.width;
    const double left = std::clamp(x0, kMemory.x, right - kLeastPx);
    return {left, y, std::clamp(x1 - left, kLeastPx, right - left), height};
  }

  void draw_memory_axis() {
    for (const uint64_t tick : byte_ticks(static_cast<uint64_t>(top_bytes_), 8)) {
      const double y = y_of(static_cast<double>(tick));
      svg_.line(kMemory.x, y, kMemory.x + kMemory.width, y, "#dddddd", 0.7);
      svg_.text(kMemory.x - 6, y + 4, format_bytes(tick), 11, SvgAnchor::kEnd);
    }
    svg_.text(22, kMemory.y + kMemory.height / 2, "memory of the process", 13, SvgAnchor::kMiddle, -90);
  }

  void draw_base() {
    const auto process = static_cast<double>(plan_.process_bytes),
               host = static_cast<double>(plan_.host_bytes);
    svg_.rect({kMemory.x, y_of(process), kMemory.width, height_of(process)}, kProcessColour, "process",
              fmt::format("the program and its libraries: {}", format_bytes(plan_.process_bytes)));
    svg_.rect({kMemory.x, y_of(process + host), kMemory.width, height_of(host)}, kHostColour, "host",
              fmt::format("pictures and latents: {}", format_bytes(plan_.host_bytes)));
  }

  void draw_buffer(const Buffer& buffer) {
    double whole_from = -1, whole_to = -1;  // phases through which it lives lie side by side
    const auto flush = [&] {
      if (whole_from >= 0) draw_piece(buffer, whole_from, whole_to);
      whole_from = -1;
    };
    for (size_t p = 0; p < plan_.phases.size(); ++p) {
      const Phase& phase = plan_.phases[p];
      const int last = phase.first_instruction + static_cast<int>(phase.instructions.size()) - 1;
      if (buffer.last_use < phase.first_instruction || buffer.first_use > last) continue;
      const int from = std::max(buffer.first_use, phase.first_instruction) - phase.first_instruction;
      const int to = std::min(buffer.last_use, last) - phase.first_instruction;
      if (from == 0 && to == last - phase.first_instruction) {
        if (whole_from < 0) whole_from = phase_x_[p].first;
        whole_to = phase_x_[p].second;
        continue;
      }
      flush();
      for (const Stretch& stretch : stretches_) {
        if (stretch.phase != p) continue;
        draw_piece(buffer, x_of(stretch, stretch.times->instructions[static_cast<size_t>(from)].first),
                   x_of(stretch, stretch.times->instructions[static_cast<size_t>(to)].second));
      }
    }
    flush();
  }

  void draw_piece(const Buffer& buffer, double x0, double x1) {
    const auto bottom = static_cast<double>(base_bytes_ + buffer.offset);
    const auto bytes = static_cast<double>(buffer.bytes);
    const SvgRect at = span(x0, x1, y_of(bottom + bytes), height_of(bytes));
    const bool named = at.width >= kHintPx && at.height >= kHintPx;
    svg_.rect(at, kColours[static_cast<size_t>(buffer.kind)], "buffer",
              named ? fmt::format("{} ({}), {}", buffer.name, buffer_kind_name(buffer.kind),
                                  format_bytes(buffer.bytes))
                    : "");
  }

  void draw_budget() {
    const auto budget = static_cast<double>(budget_bytes_);
    if (budget > top_bytes_) return;
    svg_.line(kMemory.x, y_of(budget), kMemory.x + kMemory.width, y_of(budget), "#b00020", 1.5, "6 4");
    svg_.text(kMemory.x + kMemory.width - 4, y_of(budget) - 4, "budget " + format_bytes(budget_bytes_), 11,
              SvgAnchor::kEnd);
  }

  // Spans that a reader cannot tell apart become one.
  void draw_spans(const Stretch& stretch, std::vector<std::pair<double, double>> spans, double y,
                  std::string_view colour, std::string_view kind) {
    std::sort(spans.begin(), spans.end());
    double from = -1, to = -1;
    const auto flush = [&] {
      if (from >= 0) svg_.rect(span(from, to, y, kLaneHeightPx), colour, kind);
    };
    for (const auto& [begin, end] : spans) {
      const double x0 = x_of(stretch, begin), x1 = x_of(stretch, end);
      if (x1 <= x0 && end <= begin) continue;
      if (from >= 0 && x0 - to < kLeastPx) {
        to = std::max(to, x1);
        continue;
      }
      flush();
      from = x0;
      to = x1;
    }
    flush();
  }

  void draw_lanes() {
    svg_.rect({kMemory.x, kKernelsTopPx, kMemory.width, kLaneHeightPx}, kEmpty, "lane");
    svg_.rect({kMemory.x, kReadsTopPx, kMemory.width, kLaneHeightPx}, kEmpty, "lane");
    svg_.text(kMemory.x - 6, kKernelsTopPx + 17, "kernels", 12, SvgAnchor::kEnd);
    svg_.text(kMemory.x - 6, kReadsTopPx + 17, "reading", 12, SvgAnchor::kEnd);
    for (const Stretch& stretch : stretches_) {
      std::vector<std::pair<double, double>> waits, reads;
      double done = 0;
      for (const auto& [begin, end] : stretch.times->instructions) {
        if (begin > done) waits.emplace_back(done, begin);
        done = end;
      }
      draw_spans(stretch, stretch.times->instructions, kKernelsTopPx, kKernelColour, "kernel");
      draw_spans(stretch, waits, kKernelsTopPx, kWaitColour, "wait");
      for (const auto& [begin, end] : stretch.times->loads) {
        if (end <= begin) continue;  // it stays from the first run
        // What is read ahead for a later run falls into the end of the one before, which looks the same.
        if (begin < 0) reads.emplace_back(stretch.seconds + begin, stretch.seconds + std::min(end, 0.0));
        if (end > 0) reads.emplace_back(std::max(begin, 0.0), end);
      }
      draw_spans(stretch, reads, kReadsTopPx, kReadColour, "read");
    }
  }

  void draw_breaks() {
    for (size_t p = 0; p < plan_.phases.size(); ++p) {
      const Phase& phase = plan_.phases[p];
      if (phase.runs() > 2) {
        const double x = phase_x_[p].second - kBreakPx;
        svg_.rect({x, kMemory.y, kBreakPx, kMemory.height}, "#ffffff", "break",
                  fmt::format("{} more like the one before", phase.runs() - 2));
        svg_.text(x + kBreakPx / 2 + 4, kMemory.y + kMemory.height / 2,
                  fmt::format("{} more of {}", phase.runs() - 2, format_seconds(phase.later_run_seconds)), 12,
                  SvgAnchor::kMiddle, -90);
        svg_.text(x + kBreakPx / 2, kKernelsTopPx + 18, "…", 16, SvgAnchor::kMiddle);
        svg_.text(x + kBreakPx / 2, kReadsTopPx + 18, "…", 16, SvgAnchor::kMiddle);
      }
      const auto& [from, to] = phase_x_[p];
      svg_.line(from, kMemory.y, from, kLanesEndPx, "#999999", 0.7, "3 3");
      if (to - from >= kLabelPx)
        svg_.text((from + to) / 2, kMemory.y - 3, phase.name, 11, SvgAnchor::kMiddle);
    }
  }

  // Only stretches at the scale of time have ticks; after a break they go on with the true time.
  void draw_time_axis() {
    const double y = kLanesEndPx + 6;
    svg_.line(kMemory.x, y, kMemory.x + kMemory.width, y, "#444444");
    double last = kMemory.x - kTickPx;
    for (const Stretch& stretch : stretches_) {
      const double width = stretch.seconds * px_per_second_;
      const int count = std::max(1, static_cast<int>(width / kTickPx));
      if (width < kTickPx / 2) continue;
      for (const double tick :
           round_ticks(stretch.begin_seconds, stretch.begin_seconds + stretch.seconds, count)) {
        const double x = x_of(stretch, tick - stretch.begin_seconds);
        if (x - last < kTickPx / 2) continue;
        last = x;
        svg_.line(x, y, x, y + 5, "#444444");
        svg_.text(x, y + 18, tick == 0 ? "0 s" : format_seconds(tick), 11, SvgAnchor::kMiddle);
      }
    }
    svg_.text(kMemory.x + kMemory.width / 2, y + 42,
              fmt::format("predicted time, {} in all", format_seconds(end_seconds_)), 13, SvgAnchor::kMiddle);
  }

  void draw_legend() {
    double y = kMemory.y + 10;
    const auto row = [&](std::string_view colour, const std::string& text) {
      svg_.rect({kLegendPx, y, 13, 13}, colour, "legend");
      svg_.text(kLegendPx + 19, y + 11, text, 12);
      y += 21;
    };
    for (size_t kind = 0; kind < kBufferKinds; ++kind) {
      const bool there = std::any_of(plan_.buffers.begin(), plan_.buffers.end(), [&](const Buffer& buffer) {
        return static_cast<size_t>(buffer.kind) == kind;
      });
      if (there) row(kColours[kind], std::string(buffer_kind_name(static_cast<BufferKind>(kind))));
    }
    row(kHostColour, "pictures and latents");
    row(kProcessColour, "program, libraries");
    svg_.text(kLegendPx, y + 11, fmt::format("peak {}", format_bytes(plan_.peak_bytes())), 12);
    y += 18;
    if (static_cast<double>(budget_bytes_) > top_bytes_) {
      svg_.text(kLegendPx, y + 11, fmt::format("budget {}", format_bytes(budget_bytes_)), 12);
    }
    y = kKernelsTopPx - 4;
    row(kKernelColour, "kernels compute");
    row(kWaitColour, "they wait for weights");
    row(kReadColour, "weights are read");
  }

  const Plan& plan_;
  const PlanFigures& figures_;
  uint64_t budget_bytes_;
  Svg svg_;
  uint64_t base_bytes_;
  double top_bytes_ = 1, px_per_second_ = 1, end_seconds_ = 0;
  std::vector<Stretch> stretches_;
  std::vector<std::pair<double, double>> phase_x_;  // by phase: begin and end
};

}  // namespace

std::string plan_svg(const Plan& plan, const PlanFigures& figures, uint64_t budget_bytes,
                     const std::string& title) {
  return Drawing(plan, figures, budget_bytes, title).draw();
}

}  // namespace snug
