#include "bench/draw_curve.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/units.h"
#include "plan/svg.h"

namespace snug::bench {
namespace {

constexpr double kWidthPx = 860, kHeightPx = 760;
constexpr SvgRect kStepPlot = {90, 84, 730, 270};
constexpr SvgRect kTotalPlot = {90, 402, 730, 270};
constexpr double kHeadroom = 1.12;
constexpr double kTickRoomPx = 54;     // for a label
constexpr double kEdgeOctaves = 0.08;  // left and right of the outermost budgets
constexpr std::string_view kPredictedColour = "#3b6ea5", kMeasuredColour = "#d1495b",
                           kDirectColour = "#edae49";

// Where budgets lie across.
class BudgetAxis {
 public:
  explicit BudgetAxis(const std::vector<const std::vector<TimePoint>*>& lists) {
    for (const auto* list : lists) {
      for (const TimePoint& point : *list) {
        least_ = std::min(least_, octave(point.budget_bytes));
        most_ = std::max(most_, octave(point.budget_bytes));
      }
    }
    least_ -= kEdgeOctaves;
    most_ += kEdgeOctaves;
  }

  double x(const SvgRect& plot, uint64_t bytes) const {
    return plot.x + (octave(bytes) - least_) / (most_ - least_) * plot.width;
  }

  // Budgets as people write them, as many as there is room for.
  std::vector<uint64_t> ticks(const SvgRect& plot) const {
    std::vector<uint64_t> ticks;
    for (const uint64_t unit : {kMiB, kGiB}) {
      for (const double number :
           {1.0,  1.5,  2.0,  3.0,  4.0,   5.0,   6.0,   7.0,   8.0,   10.0,  15.0,  20.0,  30.0,  40.0,
            50.0, 60.0, 70.0, 80.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0}) {
        const auto tick = static_cast<uint64_t>(number * static_cast<double>(unit));
        if (octave(tick) < least_ || octave(tick) > most_) continue;
        if (ticks.empty() || x(plot, tick) - x(plot, ticks.back()) >= kTickRoomPx) ticks.push_back(tick);
      }
    }
    return ticks;
  }

 private:
  static double octave(uint64_t bytes) {
    return std::log2(static_cast<double>(std::max<uint64_t>(bytes, 1)));
  }
  double least_ = 1e9, most_ = -1e9;
};

using Seconds = double TimePoint::*;

struct Series {
  const std::vector<TimePoint>& predicted;
  const std::vector<TimePoint>& measured;
};

void draw_grid(Svg& svg, const SvgRect& plot, const BudgetAxis& axis, double top, std::string_view title) {
  svg.rect(plot, "#fafafa", "axes");
  const double bottom = plot.y + plot.height;
  for (const double tick : round_ticks(0, top, 5)) {
    const double y = bottom - tick / top * plot.height;
    svg.line(plot.x, y, plot.x + plot.width, y, "#dddddd", 0.8);
    svg.text(plot.x - 8, y + 4, fmt::format("{:g}", tick), 12, SvgAnchor::kEnd);
  }
  for (const uint64_t tick : axis.ticks(plot)) {
    const double x = axis.x(plot, tick);
    svg.line(x, plot.y, x, bottom, "#e8e8e8", 0.8);
    svg.line(x, bottom, x, bottom + 5, "#444444");
    svg.text(x, bottom + 18, format_bytes(tick), 11, SvgAnchor::kMiddle);
  }
  svg.line(plot.x, bottom, plot.x + plot.width, bottom, "#444444");
  svg.line(plot.x, plot.y, plot.x, bottom, "#444444");
  svg.text(30, plot.y + plot.height / 2, title, 13, SvgAnchor::kMiddle, -90);
}

void draw_plot(Svg& svg, const SvgRect& plot, const BudgetAxis& axis, const Series& series, Seconds seconds,
               std::string_view title) {
  double top = 1e-6;
  for (const auto* list : {&series.predicted, &series.measured}) {
    for (const TimePoint& point : *list) top = std::max(top, point.*seconds * kHeadroom);
  }
  draw_grid(svg, plot, axis, top, title);
  const auto y_of = [&](const TimePoint& point) { return plot.y + plot.height * (1 - point.*seconds / top); };
  std::vector<std::pair<double, double>> line;
  for (const TimePoint& point : series.predicted) {
    line.emplace_back(axis.x(plot, point.budget_bytes), y_of(point));
  }
  if (line.size() > 1) svg.polyline(line, kPredictedColour, 2);
  for (const TimePoint& point : series.measured) {
    svg.circle(axis.x(plot, point.budget_bytes), y_of(point), 5,
               point.direct_reads ? kDirectColour : kMeasuredColour,
               fmt::format("{}{}: {:.2f} s", format_bytes(point.budget_bytes),
                           point.direct_reads ? ", direct reads" : "", point.*seconds));
  }
}

void draw_legend(Svg& svg, const Series& series) {
  double x = kStepPlot.x;
  const double y = 62;
  const auto entry = [&](std::string_view text, std::string_view colour, bool is_line) {
    if (is_line) {
      svg.line(x, y - 4, x + 24, y - 4, colour, 2);
    } else {
      svg.circle(x + 12, y - 4, 5, colour);
    }
    svg.text(x + 30, y, text, 12);
    x += 52 + 6.4 * static_cast<double>(text.size());
  };
  const auto any = [&](bool direct_reads) {
    return std::any_of(series.measured.begin(), series.measured.end(),
                       [&](const TimePoint& point) { return point.direct_reads == direct_reads; });
  };
  if (series.predicted.size() > 1) entry("predicted, file in the page cache", kPredictedColour, true);
  if (any(false)) entry("measured, file in the page cache", kMeasuredColour, false);
  if (any(true)) entry("measured, direct reads", kDirectColour, false);
}

}  // namespace

std::string draw_curve(const std::string& title, const std::vector<TimePoint>& predicted,
                       const std::vector<TimePoint>& measured) {
  Svg svg(kWidthPx, kHeightPx, title);
  svg.text(kStepPlot.x, 34, title, 15);
  if (predicted.empty() && measured.empty()) return std::move(svg).finish();
  const Series series{predicted, measured};
  const BudgetAxis axis({&predicted, &measured});
  draw_legend(svg, series);
  draw_plot(svg, kStepPlot, axis, series, &TimePoint::step_seconds, "a step, s");
  draw_plot(svg, kTotalPlot, axis, series, &TimePoint::seconds, "everything, s");
  svg.text(kTotalPlot.x + kTotalPlot.width / 2, kTotalPlot.y + kTotalPlot.height + 46,
           "memory of the whole process (logarithmic)", 13, SvgAnchor::kMiddle);
  return std::move(svg).finish();
}

}  // namespace snug::bench
