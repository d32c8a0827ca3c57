// Every candidate of every operation's list against the reference kernel, over op_cases(), in F32 and BF16.
// CMakeLists.txt runs this again at each lesser instruction set (SNUG_ISA).
//
// Tolerances come from element types and operand norms. A sum of products in F32, in whatever order, is taken
// to be within 8 epsilon Σ|a||b|, with epsilon half an ulp of 1: a chain of K terms rounds K times, each time
// by up to epsilon of a partial sum, and such errors grow like √K. Σ|a||b| is what the reference gives for
// absolute values. The output's own rounding to F32 or BF16 is added. Winograd's convolution is allowed twice
// as much: it sums numbers of a whole tile that cancel, with errors up to twice those of plain sums
// (winograd_transform.cc).
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "backend/cpu/kernel_list.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "backend/reference/kernel_list.h"
#include "base/parallel.h"

namespace snug {
namespace {

constexpr double kF32Epsilon = 0x1p-24, kBf16Epsilon = 0x1p-8;  // half an ulp of 1

double epsilon_of(DType dtype) { return dtype == DType::kBF16 ? kBf16Epsilon : kF32Epsilon; }

std::vector<float> reference_of(const NodeSpec& node, const OperandValues& values) {
  std::string reason;
  KernelTrial trial(node, reference_candidate(node.op).make(node, reason), values);
  trial.run();
  EXPECT_EQ(trial.damage(), "");
  return trial.output();
}

void make_absolute(std::vector<float>& values) {
  for (float& value : values) value = std::fabs(value);
}

// Largest |value|; 0 for none.
double largest(const std::vector<float>& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::fabs(static_cast<double>(value)));
  return most;
}

// The reference on absolute values, in F32 and with no activation: Σ|a||b| and its like.
std::vector<float> absolute_sums(const NodeSpec& node, OperandValues values) {
  NodeSpec plain = with_activations(node, DType::kF32);
  if (auto* attrs = std::get_if<Conv2dAttrs>(&plain.attrs)) attrs->activation = Activation::kNone;
  if (auto* attrs = std::get_if<Conv3dAttrs>(&plain.attrs)) attrs->activation = Activation::kNone;
  if (auto* attrs = std::get_if<LinearAttrs>(&plain.attrs)) attrs->activation = Activation::kNone;
  if (auto* attrs = std::get_if<AffineAttrs>(&plain.attrs)) {
    *attrs = {std::fabs(attrs->scale), std::fabs(attrs->offset)};
  }
  // Of attention, only the values: its weights, being a softmax, sum to 1.
  const bool of_values = node.op == Op::kAttention;
  for (size_t i = of_values ? 2 : 0; i < (of_values ? 3 : values.size()); ++i) make_absolute(values[i]);
  return reference_of(plain, values);
}

// A product of two: each of them is off as a linear, and the activation's slope, 1.13 at most, makes that
// more.
std::vector<double> gated_bounds(const NodeSpec& node, const OperandValues& values) {
  const auto linear = [&](size_t weight) {
    const std::vector<Operand> operands = {node.operands[0], node.operands[weight], node.operands[weight + 1],
                                           node.operands[3]};
    return std::pair(with_activations(make_node(Op::kLinear, LinearAttrs{}, operands), DType::kF32),
                     OperandValues{values[0], values[weight], values[weight + 1], {}});
  };
  const auto [product, of_product] = linear(1);
  const auto [gate, of_gate] = linear(4);
  const std::vector<float> value = reference_of(product, of_product),
                           value_sums = absolute_sums(product, of_product);
  const std::vector<float> inner = reference_of(gate, of_gate), gate_sums = absolute_sums(gate, of_gate);
  std::vector<double> bounds(value.size());
  for (size_t i = 0; i < bounds.size(); ++i) {
    const double size = std::fabs(static_cast<double>(value[i])),
                 most_gate = std::fabs(static_cast<double>(inner[i])) + 1;
    bounds[i] = 8 * kF32Epsilon * (value_sums[i] * most_gate + size * (1.13 * gate_sums[i] + 1));
  }
  return bounds;
}

bool is_gated(const NodeSpec& node) {
  const auto* attrs = std::get_if<LinearAttrs>(&node.attrs);
  return attrs != nullptr && attrs->gated;
}

// Relative to Σ weights |values|. Scores are sums of `width` products, each as large as the operands allow;
// an error d in a score is a relative error d in its weight. BF16 kernels may narrow the weights.
double attention_tolerance(const NodeSpec& node, const OperandValues& values) {
  const auto& attrs = std::get<AttentionAttrs>(node.attrs);
  const double width = static_cast<double>(node.operands[0].shape[2] / attrs.heads);
  const double bias = values.size() > 3 ? largest(values[3]) : 0;
  const double score = attrs.scale * std::sqrt(width) * largest(values[0]) * largest(values[1]) + bias;
  const double narrowed = node.output.dtype == DType::kBF16 ? kBf16Epsilon : 0;
  return kF32Epsilon * (8 + 8 * score) + narrowed;
}

// (x - mean) / deviation gamma + beta: x and mean are each exact to their size over the deviation, which is
// 2/√3 for the made-up operands (far less only where a group is one element).
double norm_tolerance(const NodeSpec& node, const OperandValues& values) {
  const size_t scale = node.op == Op::kGroupNormApply ? 2 : 1;
  double x = largest(values[0]);
  if (node.op == Op::kRmsNorm)
    return 8 * kF32Epsilon * (values[1].empty() ? 1 : largest(values[1])) * (1 + x);
  if (node.op != Op::kLayerNorm) x += largest(values.back());  // the channels' addition
  const double gamma = values[scale].empty() ? 1 : largest(values[scale]);
  return 8 * kF32Epsilon * (gamma * (1 + x) + largest(values[scale + 1]));
}

// A norm whose scale is 1 + a row of the table + one of the time; its shift, and a gate, are such sums too.
double row_tolerance(const NodeSpec& node, const OperandValues& values) {
  const size_t time = node.op == Op::kModulate ? 1 : 2;
  const double row = largest(values[time]) + largest(values[time + 1]);
  if (node.op == Op::kGatedAdd) return 8 * kF32Epsilon * (largest(values[0]) + largest(values[1]) * row);
  return 8 * kF32Epsilon * ((1 + row) * (1 + largest(values[0])) + row);
}

// Of a mean, and of a sum of squared deviations, each of which is off by twice itself times the error of x
// and of the mean: by Cauchy and Schwarz that is the root of the sum and of how many there are.
double statistics_tolerance(const NodeSpec& node, const OperandValues& values, size_t i, double size) {
  const double error = 8 * kF32Epsilon * (largest(values[0]) + largest(values[1]));
  const auto row = static_cast<size_t>(node.output.shape[1]);
  if (i % row < row / 2) return error;
  const auto most = static_cast<double>(node.operands[0].shape.elements());
  return 8 * kF32Epsilon * size + 2 * error * std::sqrt(size * most) + error * error * most;
}

std::vector<double> tolerances(const NodeSpec& node, const OperandValues& values,
                               const std::vector<float>& expected) {
  const double rounding = epsilon_of(node.output.dtype) * 1.01;
  std::vector<float> sums;
  std::vector<double> gated;
  if (is_gated(node)) {
    gated = gated_bounds(node, values);
  } else if (node.op == Op::kConv2d || node.op == Op::kConv3d || node.op == Op::kLinear ||
             node.op == Op::kAdd || node.op == Op::kAddChannels || node.op == Op::kAffine ||
             node.op == Op::kAttention) {
    sums = absolute_sums(node, values);
  }
  double operand_bound = 0;
  if (node.op == Op::kAttention) operand_bound = attention_tolerance(node, values);
  if (node.op == Op::kGroupNorm || node.op == Op::kGroupNormApply || node.op == Op::kLayerNorm ||
      node.op == Op::kRmsNorm) {
    operand_bound = norm_tolerance(node, values);
  }
  if (node.op == Op::kModulate || node.op == Op::kGatedAdd) operand_bound = row_tolerance(node, values);
  if (node.op == Op::kRotary || node.op == Op::kSpaceToDepth) {
    operand_bound = 8 * kF32Epsilon * largest(values[0]);
  }
  std::vector<double> bounds(expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const double size = std::fabs(static_cast<double>(expected[i]));
    // Twice: the reference is rounded too, and a result may round to the other side.
    double bound = 2 * rounding * size;
    switch (node.op) {
      case Op::kConv2d:
      case Op::kConv3d:
      case Op::kLinear:
        bound += gated.empty() ? 8 * kF32Epsilon * (sums[i] + 1) : gated[i];  // 1: the activation's own error
        break;
      case Op::kAdd:
      case Op::kAddChannels:
      case Op::kAffine: bound += kF32Epsilon * sums[i]; break;
      case Op::kAttention: bound += sums[i] * operand_bound; break;
      case Op::kGroupStatistics: bound += statistics_tolerance(node, values, i, size); break;
      case Op::kGroupNorm:
      case Op::kGroupNormApply:
      case Op::kModulate:
      case Op::kGatedAdd:
      case Op::kRotary:
      case Op::kSpaceToDepth:
      case Op::kLayerNorm:
      case Op::kRmsNorm: bound += operand_bound + 8 * kF32Epsilon * size; break;
      case Op::kActivation: bound += 8 * kF32Epsilon * std::max(1.0, size); break;
      default:  // copies, and what follows the reference step by step
        bound = 0;
    }
    bounds[i] = bound;
  }
  return bounds;
}

// Worst error of a kernel, as a share of what is allowed.
struct Worst {
  double share = 0, error = 0, allowed = 0;
  std::string place;
};

Worst compare(const OpCase& op_case, const std::vector<float>& got, const std::vector<float>& expected,
              const std::vector<double>& bounds) {
  Worst worst;
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::fabs(static_cast<double>(got[i]) - expected[i]);
    const double share = error == 0 ? 0 : error / bounds[i];
    if (share <= worst.share) continue;  // false for NaN
    worst = {std::isnan(share) ? INFINITY : share, error, bounds[i],
             op_case.name + " [" + std::to_string(i) + "]: " + std::to_string(got[i]) + ", not " +
                 std::to_string(expected[i])};
    if (std::isinf(worst.share)) break;
  }
  return worst;
}

class OpTest : public ::testing::Test {
 protected:
  void TearDown() override { set_thread_count(threads_at_start_); }

  // Runs one candidate with 1, 2 and 3 threads; the results must be equal to the last bit.
  static void check(const OpCase& op_case, const NodeSpec& node, const KernelCandidate& candidate,
                    const OperandValues& values, const std::vector<float>& expected,
                    const std::vector<double>& bounds, std::map<std::string, Worst>& worst_of) {
    std::vector<std::byte> with_one_thread;
    for (const int threads : {1, 2, 3}) {
      set_thread_count(threads);
      std::string reason;
      std::unique_ptr<Kernel> kernel = candidate.make(node, reason);
      if (kernel == nullptr) {
        EXPECT_NE(reason, "") << candidate.name << " declines " << op_case.name << " without a reason";
        return;
      }
      KernelTrial trial(node, std::move(kernel), values);
      trial.run();
      const std::string kernel_name(trial.kernel().name());
      EXPECT_EQ(trial.damage(), "") << kernel_name << " on " << op_case.name;
      if (threads > 1) {
        EXPECT_TRUE(trial.output_bytes() == with_one_thread)
            << kernel_name << " on " << op_case.name << " differs with " << threads << " threads";
        continue;
      }
      with_one_thread = trial.output_bytes();
      std::vector<double> allowed = bounds;
      for (double& bound : allowed) bound *= kernel_name == "cpu_winograd" ? 2 : 1;
      const Worst worst = compare(op_case, trial.output(), expected, allowed);
      EXPECT_LE(worst.share, 1) << kernel_name << ' ' << worst.place << ", error " << worst.error
                                << ", allowed " << worst.allowed;
      Worst& known = worst_of[kernel_name];
      if (worst.share > known.share || known.place.empty()) known = worst;
    }
  }

  static void check_all(Op op, DType dtype) {
    std::map<std::string, Worst> worst_of;
    for (const OpCase& op_case : op_cases()) {
      if (op_case.node.op != op) continue;
      const NodeSpec node = with_activations(op_case.node, dtype);
      set_thread_count(1);
      const OperandValues values = made_up_operands(node);
      const std::vector<float> expected = reference_of(node, values);
      const std::vector<double> bounds = tolerances(node, values, expected);
      set_thread_count(3);
      EXPECT_TRUE(reference_of(node, values) == expected)
          << op_case.name << ": the reference differs with 3 threads";
      const auto candidates = cpu_candidates(op);
      for (const KernelCandidate& candidate : candidates.first(candidates.size() - 1)) {
        check(op_case, node, candidate, values, expected, bounds, worst_of);
      }
    }
    for (const auto& [name, worst] : worst_of) {
      std::printf("parity %s %s: worst %.2g (tolerance %.2g) %s\n", name.c_str(),
                  std::string(dtype_info(dtype).name).c_str(), worst.error, worst.allowed,
                  worst.place.c_str());
    }
  }

 private:
  int threads_at_start_ =
      (cpu_backend(), thread_count());  // the backend first: it settles the instruction set
};

class EveryOp : public OpTest, public ::testing::WithParamInterface<int> {};

TEST_P(EveryOp, AgreesWithTheReferenceInF32) { check_all(static_cast<Op>(GetParam()), DType::kF32); }
TEST_P(EveryOp, AgreesWithTheReferenceInBf16) { check_all(static_cast<Op>(GetParam()), DType::kBF16); }

TEST_P(EveryOp, HasAReferenceKernelAndCases) {
  const Op op = static_cast<Op>(GetParam());
  EXPECT_EQ(reference_candidate(op).make == nullptr, op_info(op).is_view);
  if (op_info(op).is_view) return;
  const std::vector<OpCase> cases = op_cases();
  EXPECT_TRUE(std::any_of(cases.begin(), cases.end(), [&](const OpCase& c) { return c.node.op == op; }));
  for (const OpCase& op_case : cases) {
    if (op_case.node.op != op) continue;
    EXPECT_EQ(reference_backend().choose(op_case.node).kernel->name(), reference_candidate(op).name);
    EXPECT_NE(cpu_backend().choose(op_case.node).kernel, nullptr);
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, EveryOp, ::testing::Range(0, kOpCount), [](const auto& test) {
  return std::string(op_info(static_cast<Op>(test.param)).name);
});

}  // namespace
}  // namespace snug
