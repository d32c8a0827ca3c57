// What is told of a plan is what is in it: bytes by kind, times that match the plan's own, drawings that hold
// whatever layers are called.
#include "plan/plan_figures.h"

#include <gtest/gtest.h>

#include "plan/curve.h"
#include "plan/plan_svg.h"
#include "plan/print_plan.h"
#include "plan/svg.h"

namespace snug {
namespace {

constexpr uint64_t kKiBytes = 1024;

// Two phases of two instructions: the first runs once, the second three times and reads a weight each time.
Plan small_plan() {
  Plan plan;
  for (const char* name : {"encode", "step"}) {
    Phase phase;
    phase.name = name;
    const ValueId x = phase.graph.add_input("x", DType::kF32, Shape{1, 4, 8, 8}, Variability::kLatents);
    const ValueId w = phase.graph.add_weight("<w> & \"co\"", DType::kF16, Shape{4, 4, 1, 1});
    phase.graph.add_output(
        phase.graph.add_node(Op::kConv2d, Conv2dAttrs{}, {x, w, kNoValue, kNoValue}, "a<b"));
    phase.kernel_names = {"direct"};
    phase.declined = {{{"fast", "odd <shape>"}}};
    phase.first_instruction = static_cast<int>(plan.phases.size()) * 2;
    for (const double seconds : {0.25, 0.75}) {
      RunKernel run;
      run.node = 0;
      run.part = whole_region(Shape{1, 4, 8, 8});
      run.part.pixels.end /= 2;
      run.predicted_seconds = seconds;
      run.loads_needed = 1;
      phase.instructions.emplace_back(run);
    }
    Load load;
    load.value = w;
    load.rows = {0, 4};
    load.bytes = 64;
    load.dtype = DType::kF32;
    load.every_run = true;
    phase.loads = {load};
    plan.phases.push_back(std::move(phase));
  }
  plan.phases[1].calls = 3;
  plan.phases[0].first_run_seconds = 1.5;
  plan.phases[1].first_run_seconds = 1.5;
  plan.phases[1].later_run_seconds = 1.25;
  plan.buffers = {{"a<b", BufferKind::kActivation, 3 * kKiBytes, 0, 1, 0},
                  {"weights", BufferKind::kWeight, 2 * kKiBytes, 2, 3, kKiBytes},
                  {"x & y", BufferKind::kScratch, kKiBytes / 2, 3, 3, 0}};
  plan.arena_bytes = 3 * kKiBytes + 128;
  plan.process_bytes = 100;
  plan.host_bytes = 10;
  return plan;
}

TEST(PlanFigures, KindsOfTheFullestInstantAndGapsMakeTheArena) {
  const Plan plan = small_plan();
  const PlanFigures figures = plan_figures(plan, nullptr, Rates{});
  EXPECT_EQ(figures.fullest_phase, 0u);
  EXPECT_EQ(figures.phases[0].live_bytes, 3 * kKiBytes);
  EXPECT_EQ(figures.gap_bytes, 128u);
  EXPECT_EQ(figures.phases[1].live_bytes, 2 * kKiBytes + kKiBytes / 2);
  EXPECT_EQ(figures.phases[1].kind_bytes[static_cast<size_t>(BufferKind::kScratch)], kKiBytes / 2);
}

TEST(PlanFigures, TimesAreThePlansOwn) {
  const Plan plan = small_plan();
  const PlanFigures figures = plan_figures(plan, nullptr, Rates{});
  EXPECT_DOUBLE_EQ(figures.phases[0].first.first_run_seconds, 1.5);
  EXPECT_DOUBLE_EQ(figures.phases[1].later.later_run_seconds, 1.25);
  EXPECT_DOUBLE_EQ(figures.phases[1].kernel_seconds, 1);
  EXPECT_DOUBLE_EQ(predicted_seconds(plan), 1.5 + 1.5 + 2 * 1.25);
  // A file of halves: as many bytes as the weight has there.
  EXPECT_EQ(figures.phases[1].first_read_bytes, 32u);
  EXPECT_EQ(figures.phases[1].later_read_bytes, 32u);
}

TEST(PlanFigures, TextTellsPartsAndWhoDeclined) {
  const Plan plan = small_plan();
  const std::string text = print_plan(plan, plan_figures(plan, nullptr, Rates{}));
  EXPECT_NE(text.find("encode"), std::string::npos);
  const std::string lines = explain_plan(plan, {"step: no bands"});
  for (const char* part : {"direct", "2 parts by rows", "not fast: odd <shape>", "step: no bands"}) {
    EXPECT_NE(lines.find(part), std::string::npos) << part << "\n" << lines;
  }
}

TEST(PlanSvg, EscapesNamesAndMarksRunsThatAreNotDrawn) {
  const Plan plan = small_plan();
  const std::string svg = plan_svg(plan, plan_figures(plan, nullptr, Rates{}), 4 * kKiBytes, "a \x01 & <b>");
  EXPECT_NE(svg.find("a ? &amp; &lt;b&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("a<b"), std::string::npos);
  EXPECT_NE(svg.find("1 more of"), std::string::npos);
  EXPECT_NE(svg.find("budget"), std::string::npos);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  // A plan without phases is drawn, too.
  EXPECT_FALSE(plan_svg(Plan{}, PlanFigures{}, 0, "").empty());
}

TEST(Curve, MarksTheRowThatABudgetPaysFor) {
  std::vector<CurveRow> rows = {curve_row(1000 * kKiBytes, small_plan()),
                                curve_row(2000 * kKiBytes, small_plan())};
  const std::string table = curve_table(rows, 1500 * kKiBytes);
  EXPECT_LT(table.find("your budget"), table.find("1.95 MiB"));
  EXPECT_EQ(curve_table(rows, 10).find("your budget"), std::string::npos);
  EXPECT_DOUBLE_EQ(rows[0].step_seconds, 1.25);
  EXPECT_NE(curve_svg(rows, 1500 * kKiBytes, "t").find("polyline"), std::string::npos);
  rows.resize(1);
  EXPECT_FALSE(curve_svg(rows, 0, "t").empty());
  EXPECT_FALSE(curve_svg({}, 0, "t").empty());
}

TEST(Ticks, AreRoundAndFew) {
  EXPECT_EQ(round_ticks(0, 1, 5), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  EXPECT_TRUE(round_ticks(3, 3, 5).empty());
  for (const uint64_t to : {uint64_t{1}, uint64_t{999}, 5 * kKiBytes * kKiBytes, uint64_t{1} << 44U}) {
    const std::vector<uint64_t> ticks = byte_ticks(to, 8);
    EXPECT_LE(ticks.size(), 9u) << to;
    EXPECT_GE(ticks.size(), 2u) << to;
    EXPECT_LE(ticks.back(), to);
  }
}

}  // namespace
}  // namespace snug
