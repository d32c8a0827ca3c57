// Kernels that do not exist, for the planner's tests: what one would ask for, at random.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <unordered_map>

#include "graph/op.h"
#include "plan/kernel_source.h"

namespace snug::testing {

class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  int64_t pick(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }

 private:
  std::mt19937 random_;
};

// Kernels that do not exist: scratch of random sizes, weights widened or as stored, and splits and replaced
// inputs where the operation allows them.
class MadeUpKernels final : public KernelSource {
 public:
  explicit MadeUpKernels(uint32_t seed) : dice_(seed) {}

  const KernelFacts& choose(const NodeSpec& node) override {
    const auto [found, fresh] = facts_.try_emplace(node.key());
    KernelFacts& facts = found->second;
    if (!fresh) return facts;
    facts.kernel = static_cast<int>(facts_.size()) - 1;
    facts.name = "made_up";
    if (dice_.pick(0, 2) == 0) facts.scratch_bytes = static_cast<size_t>(1 + dice_.pick(0, 2000));
    facts.weight_dtypes.resize(node.operands.size(), DType::kF32);
    facts.weight_packings.resize(node.operands.size(), 0);
    facts.may_overwrite.resize(node.operands.size(), false);
    const bool elementwise = node.op == Op::kActivation || node.op == Op::kAffine || node.op == Op::kAdd;
    for (size_t i = 0; i < node.operands.size(); ++i) {
      const Operand& operand = node.operands[i];
      if (!operand.present) continue;
      if (operand.is_weight && dice_.pick(0, 1) == 0) facts.weight_dtypes[i] = operand.dtype;
      if (operand.is_weight && dice_.pick(0, 1) == 0) {
        facts.weight_packings[i] = static_cast<uint64_t>(dice_.pick(1, 2));
        facts.packing_bytes = std::max(facts.packing_bytes, static_cast<size_t>(dice_.pick(1, 3000)));
      }
      facts.may_overwrite[i] = elementwise && !operand.is_weight && operand.shape == node.output.shape;
    }
    facts.splits_pixels = op_info(node.op).needs != nullptr && dice_.pick(0, 4) > 0;
    facts.splits_channels = (node.op == Op::kConv2d || node.op == Op::kLinear) && dice_.pick(0, 4) > 0;
    return facts;
  }

 private:
  Dice dice_;
  std::unordered_map<std::string, KernelFacts> facts_;
};

}  // namespace snug::testing
