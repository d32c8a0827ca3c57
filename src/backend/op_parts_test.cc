// Every kernel that may be cut (Splits), over op_cases() and the nodes of random graphs: computed in random
// parts, on operands that hold no more than the parts need, it gives the bits of the whole; so it does with
// the output over an input that it may overwrite. And the rules that say what a part needs (graph/op.h),
// judged by the reference: what lies outside of the stated regions may be anything.
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/cpu/kernel_list.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "backend/reference/kernel_list.h"
#include "base/parallel.h"
#include "graph/passes/passes.h"
#include "tests/random_graph.h"

namespace snug {
namespace {

constexpr double kMostFlops = 2e7;

// Those of op_cases(), and the nodes of random graphs as the passes leave them.
const std::vector<OpCase>& cases() {
  static const std::vector<OpCase> list = [] {
    std::vector<OpCase> all = op_cases();
    for (uint32_t seed = 1; seed <= 20; ++seed) {
      const Graph graph = run_passes(testing::RandomGraph(seed, 40, 24, 14).graph());
      for (const Node& node : graph.nodes()) {
        if (op_info(node.op).is_view) continue;
        const Operand output = graph.operand(node.output);
        all.push_back({graph.name() + " " + graph.value(node.output).name,
                       {node.op, node.attrs, graph.operands(node), output}});
      }
    }
    return all;
  }();
  return list;
}

class Chance {
 public:
  explicit Chance(uint32_t seed) : random_(seed) {}
  int64_t pick(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, std::max(least, most))(random_);
  }
  bool half() { return pick(0, 1) == 1; }
  // Of [0, size), beginning and ending at multiples of `step` or at the end; not empty.
  Interval interval(int64_t size, int64_t step) {
    const int64_t steps = (size + step - 1) / step, begin = pick(0, steps - 1);
    return {begin * step, std::min(size, pick(begin + 1, steps) * step)};
  }
  // All of [0, size), cut at multiples of `step`.
  std::vector<Interval> cuts(int64_t size, int64_t step) {
    std::vector<Interval> parts;
    const int64_t steps = (size + step - 1) / step;
    for (int64_t at = 0; at < steps;) {
      const int64_t next = std::min(steps, at + pick(1, std::max<int64_t>(1, steps / 2)));
      parts.push_back({at * step, std::min(size, next * step)});
      at = next;
    }
    return parts;
  }
  Interval widened(const Interval& inner, const Interval& whole) {
    return {pick(whole.begin, inner.begin), pick(inner.end, whole.end)};
  }
  Region widened(const Region& inner, const Region& whole) {
    return {widened(inner.images, whole.images), widened(inner.pixels, whole.pixels),
            widened(inner.channels, whole.channels)};
  }

 private:
  std::mt19937 random_;
};

Region whole_operand(const Operand& operand) {
  return operand.is_weight ? whole_rows(operand.shape) : whole_region(operand.shape);
}

// Parts that together are the whole output, as `splits` allows.
std::vector<Region> random_parts(const NodeSpec& node, const Splits& splits, Chance& chance) {
  const Region whole = whole_region(node.output.shape);
  std::vector<Region> parts;
  if (splits.channels && (!splits.pixels || chance.half())) {
    for (const Interval& channels : chance.cuts(whole.channels.end, splits.channel_step)) {
      parts.push_back({whole.images, whole.pixels, channels});
    }
    return parts;
  }
  const int64_t step = splits.row_step * pixel_step(node.op, node.attrs, node.operands, node.output);
  for (int64_t image = 0; image < whole.images.end; ++image) {
    for (const Interval& pixels : chance.cuts(whole.pixels.end, step)) {
      parts.push_back({{image, image + 1}, pixels, whole.channels});
    }
  }
  return parts;
}

// Runs the part with operands held as tightly as can be, or a little more, or whole.
void run_random(KernelTrial& trial, const Region& part, Chance& chance) {
  const NodeSpec& node = trial.node();
  PartRun run{part, part, trial.needed(part), -1};
  if (chance.half()) run.output_held = chance.widened(part, whole_region(node.output.shape));
  for (size_t i = 0; i < run.inputs_held.size(); ++i) {
    if (!node.operands[i].present || chance.half()) continue;
    const Region whole = whole_operand(node.operands[i]);
    run.inputs_held[i] = chance.widened(run.inputs_held[i], whole);
    if (trial.kernel().weight_packing(static_cast<int>(i)) == 0) continue;
    // Packed weights are held in whole steps.
    const int64_t step = trial.kernel().splits().channel_step;
    Interval& rows = run.inputs_held[i].channels;
    rows = {rows.begin / step * step, std::min(whole.channels.end, (rows.end + step - 1) / step * step)};
  }
  // Kernels that split by pixels alone are never handed part of the channels.
  if (!trial.kernel().splits().channels) {
    run.output_held.channels = part.channels;
    for (size_t i = 0; i < run.inputs_held.size(); ++i) {
      if (node.operands[i].present && !node.operands[i].is_weight)
        run.inputs_held[i].channels = whole_operand(node.operands[i]).channels;
    }
  }
  for (size_t i = 0; i < run.inputs_held.size(); ++i) {
    if (!node.operands[i].present || !trial.kernel().may_overwrite(static_cast<int>(i)) || chance.half())
      continue;
    run.over = static_cast<int>(i);
    run.inputs_held[i] = run.output_held;
    break;
  }
  trial.run_part(run);
}

class EveryOpInParts : public ::testing::TestWithParam<int> {
 protected:
  void TearDown() override { set_thread_count(threads_at_start_); }

  static void check(const OpCase& op_case, const NodeSpec& node, const OperandValues& values, uint32_t seed) {
    std::vector<std::byte> expected;
    for (const int threads : {1, 2, 3}) {
      set_thread_count(threads);
      KernelTrial trial(node, cpu_backend().choose(node).kernel, values);
      const std::string what = std::string(trial.kernel().name()) + " on " + op_case.name;
      const Splits splits = trial.kernel().splits();
      trial.run();
      if (threads == 1) expected = trial.output_bytes();
      ASSERT_TRUE(trial.output_bytes() == expected) << what << " with " << threads << " threads";
      for (size_t i = 0; i < node.operands.size(); ++i) {
        if (!node.operands[i].present || !trial.kernel().may_overwrite(static_cast<int>(i))) continue;
        trial.run_over(i);
        ASSERT_TRUE(trial.output_bytes() == expected) << what << " over input " << i;
      }
      if (!splits.pixels && !splits.channels) continue;
      for (uint32_t round = 0; round < 3; ++round) {
        Chance chance(seed + 3 * static_cast<uint32_t>(threads) + round);
        trial.clear_output();
        for (const Region& part : random_parts(node, splits, chance)) run_random(trial, part, chance);
        ASSERT_TRUE(trial.output_bytes() == expected)
            << what << " in parts, round " << round << " with " << threads << " threads";
      }
      ASSERT_EQ(trial.damage(), "") << what;
    }
  }

 private:
  int threads_at_start_ = (cpu_backend(), thread_count());
};

TEST_P(EveryOpInParts, HasTheBitsOfTheWhole) {
  uint32_t seed = 1;
  for (const OpCase& op_case : cases()) {
    if (op_case.node.op != static_cast<Op>(GetParam())) continue;
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      const NodeSpec node = with_activations(op_case.node, dtype);
      check(op_case, node, made_up_operands(node), seed += 20);
    }
  }
}

// The bytes of `region` in a stored value of that shape.
std::vector<float> cut_out(const std::vector<float>& values, const Region& whole, const Region& region) {
  std::vector<float> out;
  for (int64_t n = region.images.begin; n < region.images.end; ++n) {
    for (int64_t p = region.pixels.begin; p < region.pixels.end; ++p) {
      for (int64_t c = region.channels.begin; c < region.channels.end; ++c) {
        const int64_t at = (n * whole.pixels.end + p) * whole.channels.end + c;
        out.push_back(values[static_cast<size_t>(at)]);
      }
    }
  }
  return out;
}

// NaN wherever the operand is not needed.
void poison(const Operand& operand, const Region& needed, std::vector<float>& values) {
  const Region whole = whole_operand(operand);
  const int64_t unit = operand.shape.elements() / whole.elements();  // a weight's row
  for (int64_t i = 0; i < operand.shape.elements(); ++i) {
    const int64_t c = i / unit % whole.channels.end, row = i / unit / whole.channels.end;
    const int64_t p = row % whole.pixels.end, n = row / whole.pixels.end;
    const Region here = {{n, n + 1}, {p, p + 1}, {c, c + 1}};
    if (!needed.contains(here)) values[static_cast<size_t>(i)] = std::numeric_limits<float>::quiet_NaN();
  }
}

TEST_P(EveryOpInParts, ReadsOnlyWhatItsRegionsSay) {
  uint32_t seed = 1;
  for (const OpCase& op_case : cases()) {
    const NodeSpec& node = op_case.node;
    if (node.op != static_cast<Op>(GetParam()) || op_info(node.op).needs == nullptr) continue;
    // The reference takes its time.
    if (op_cost(node.op, node.attrs, node.operands, node.output).flops > kMostFlops) continue;
    const OperandValues values = made_up_operands(node);
    const Region whole = whole_region(node.output.shape);
    const auto compute = [&](const OperandValues& of) {
      std::string reason;
      KernelTrial trial(node, reference_candidate(node.op).make(node, reason), of);
      trial.run();
      return trial.output();
    };
    const std::vector<float> expected = compute(values);
    Chance chance(seed++);
    for (int round = 0; round < 4; ++round) {
      const bool of_channels = node.op != Op::kGroupStatistics && chance.half();
      const Region part = {chance.interval(whole.images.end, 1), chance.interval(whole.pixels.end, 1),
                           of_channels ? chance.interval(whole.channels.end, 1) : whole.channels};
      OperandValues poisoned = values;
      for (size_t i = 0; i < values.size(); ++i) {
        const Operand& operand = node.operands[i];
        if (!operand.present || operand.dtype == DType::kI32) continue;
        const Region needed = input_region(node.op, node.attrs, node.operands, node.output, i, part);
        ASSERT_TRUE(whole_operand(operand).contains(needed) && needed.elements() > 0) << op_case.name;
        poison(operand, needed, poisoned[i]);
      }
      EXPECT_TRUE(cut_out(compute(poisoned), whole, part) == cut_out(expected, whole, part))
          << op_case.name << ", round " << round;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, EveryOpInParts, ::testing::Range(0, kOpCount), [](const auto& test) {
  return std::string(op_info(static_cast<Op>(test.param)).name);
});

}  // namespace
}  // namespace snug
