#include "plan/curve.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "plan/plan_figures.h"
#include "plan/svg.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kStepPhase = "step";
constexpr SvgRect kPlot = {104, 60, 676, 360};
constexpr double kWidthPx = 820, kHeightPx = 500;
constexpr double kHeadroom = 1.15;

// Index of the last row that fits; rows.size() when none does.
size_t row_within(const std::vector<CurveRow>& rows, uint64_t budget_bytes) {
  size_t found = rows.size();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].budget_bytes <= budget_bytes) found = i;
  }
  return found;
}

std::string cell(uint64_t bytes) { return bytes == 0 ? "-" : format_bytes(bytes); }

}  // namespace

CurveRow curve_row(uint64_t budget_bytes, const Plan& plan) {
  CurveRow row;
  row.budget_bytes = budget_bytes;
  row.peak_bytes = plan.peak_bytes();
  row.seconds = predicted_seconds(plan);
  for (const Phase& phase : plan.phases) {
    const PhaseMeasures& own = phase.measures;
    row.banded_operators += own.banded_nodes;
    row.most_bands = std::max(row.most_bands, own.most_bands);
    row.spilled_bytes = std::max(row.spilled_bytes, own.spilled_bytes);
    if (phase.name != kStepPhase) continue;
    row.passes = phase.passes;
    row.streamed_bytes = own.streamed_bytes * static_cast<uint64_t>(phase.passes);
    row.sliced_operators = own.sliced_nodes;
    row.step_seconds = (phase.runs() > 1 ? phase.later_run_seconds : phase.first_run_seconds) * phase.passes;
  }
  return row;
}

std::string curve_table(const std::vector<CurveRow>& rows, uint64_t budget_bytes) {
  std::string out =
      fmt::format("{:>9} {:>9} {:>10} {:>13} {:>15} {:>6} {:>6} {:>6} {:>9}\n", "budget", "peak", "a step",
                  "everything", "read each step", "passes", "bands", "sliced", "spilled");
  const size_t own = row_within(rows, budget_bytes);
  for (size_t i = 0; i < rows.size(); ++i) {
    const CurveRow& row = rows[i];
    out += fmt::format("{:>9} {:>9} {:>10} {:>13} {:>15} {:>6} {:>6} {:>6} {:>9}{}\n",
                       format_bytes(row.budget_bytes), format_bytes(row.peak_bytes),
                       format_seconds(row.step_seconds), format_seconds(row.seconds),
                       cell(row.streamed_bytes), row.passes, row.most_bands, row.sliced_operators,
                       cell(row.spilled_bytes), i == own ? "  <- within your budget" : "");
  }
  return out;
}

ordered_json curve_json(const std::vector<CurveRow>& rows) {
  ordered_json list = ordered_json::array();
  for (const CurveRow& row : rows) {
    list.push_back({{"budget_bytes", row.budget_bytes},
                    {"peak_bytes", row.peak_bytes},
                    {"step_seconds", row.step_seconds},
                    {"seconds", row.seconds},
                    {"streamed_bytes_per_step", row.streamed_bytes},
                    {"passes", row.passes},
                    {"banded_operators", row.banded_operators},
                    {"most_bands", row.most_bands},
                    {"sliced_operators", row.sliced_operators},
                    {"spilled_bytes", row.spilled_bytes}});
  }
  return list;
}

std::string curve_svg(const std::vector<CurveRow>& rows, uint64_t budget_bytes, const std::string& title) {
  Svg svg(kWidthPx, kHeightPx, title);
  svg.text(kPlot.x, 26, title, 14);
  svg.text(kPlot.x, 46, "predicted time of a step over the memory of the whole process", 12);
  svg.rect(kPlot, "#f4f4f4", "axes");
  if (rows.empty()) return std::move(svg).finish();
  const double least = std::log2(static_cast<double>(rows.front().budget_bytes)) - 0.05;
  const double most = std::log2(static_cast<double>(rows.back().budget_bytes)) + 0.05;
  double top = 0;
  for (const CurveRow& row : rows) top = std::max(top, row.step_seconds * kHeadroom);
  top = std::max(top, 1e-6);
  const auto x_of = [&](uint64_t bytes) {
    return kPlot.x + (std::log2(static_cast<double>(bytes)) - least) / (most - least) * kPlot.width;
  };
  const auto y_of = [&](double seconds) { return kPlot.y + kPlot.height * (1 - seconds / top); };
  const double bottom = kPlot.y + kPlot.height;
  for (const double tick : round_ticks(0, top, 6)) {
    svg.line(kPlot.x, y_of(tick), kPlot.x + kPlot.width, y_of(tick), "#dddddd", 0.7);
    svg.text(kPlot.x - 6, y_of(tick) + 4, tick == 0 ? "0 s" : format_seconds(tick), 11, SvgAnchor::kEnd);
  }
  double last = -1e9;
  std::vector<std::pair<double, double>> points;
  for (const CurveRow& row : rows) {
    const double x = x_of(row.budget_bytes);
    points.emplace_back(x, y_of(row.step_seconds));
    svg.line(x, bottom, x, bottom + 5, "#444444");
    if (x - last < 56) continue;
    svg.text(x, bottom + 19, format_bytes(row.budget_bytes), 11, SvgAnchor::kMiddle);
    last = x;
  }
  if (budget_bytes >= rows.front().budget_bytes && budget_bytes <= rows.back().budget_bytes) {
    const double x = x_of(budget_bytes);
    svg.line(x, kPlot.y, x, bottom, "#b00020", 1.5, "6 4");
    svg.text(x + 4, kPlot.y + 14, "budget " + format_bytes(budget_bytes), 11);
  }
  svg.polyline(points, "#3b6ea5", 2);
  for (size_t i = 0; i < rows.size(); ++i) {
    svg.circle(points[i].first, points[i].second, 3.5, "#3b6ea5",
               fmt::format("{}: {} a step, {} in all, {} read in each step",
                           format_bytes(rows[i].budget_bytes), format_seconds(rows[i].step_seconds),
                           format_seconds(rows[i].seconds), format_bytes(rows[i].streamed_bytes)));
  }
  svg.text(kPlot.x + kPlot.width / 2, bottom + 44,
           "budget, from the smallest that works to everything resident", 13, SvgAnchor::kMiddle);
  svg.text(22, kPlot.y + kPlot.height / 2, "time of a step", 13, SvgAnchor::kMiddle, -90);
  return std::move(svg).finish();
}

}  // namespace snug
