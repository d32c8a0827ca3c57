#include "runtime/kernel_set.h"

#include <algorithm>

namespace snug {

const KernelFacts& KernelSet::choose(const NodeSpec& node) {
  const auto [found, fresh] = facts_.try_emplace(node.key());
  KernelFacts& facts = found->second;
  if (!fresh) return facts;
  KernelChoice choice = backend_.choose(node);
  facts.kernel = static_cast<int>(kernels_.size());
  facts.name = choice.kernel->name();
  facts.scratch_bytes = choice.kernel->scratch_bytes();
  facts.weight_dtypes.resize(node.operands.size(), DType::kF32);
  facts.weight_packings.resize(node.operands.size(), 0);
  facts.may_overwrite.resize(node.operands.size(), false);
  for (size_t i = 0; i < node.operands.size(); ++i) {
    if (!node.operands[i].present) continue;
    const int input = static_cast<int>(i);
    if (node.operands[i].is_weight) {
      facts.weight_dtypes[i] = choice.kernel->weight_dtype(input);
      facts.weight_packings[i] = choice.kernel->weight_packing(input);
      facts.packing_bytes = std::max(facts.packing_bytes, choice.kernel->packing_bytes(input));
    } else {
      facts.may_overwrite[i] = choice.kernel->may_overwrite(input);
    }
  }
  const Splits splits = choice.kernel->splits();
  facts.splits_pixels = splits.pixels;
  facts.splits_channels = splits.channels;
  facts.channel_step = splits.channel_step;
  facts.pixel_multiple = splits.row_step;
  facts.declined = std::move(choice.declined);
  kernels_.push_back(std::move(choice.kernel));
  return facts;
}

}  // namespace snug
