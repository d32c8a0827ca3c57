#include "plan/cost_model.h"

#include <algorithm>

namespace snug {

double predict_seconds(const PhaseFacts& facts, const NodeFacts& node, const Region& part,
                       const Rates& rates) {
  const auto elements = static_cast<double>(part.elements());
  const double share = elements / static_cast<double>(std::max<int64_t>(1, node.whole.elements()));
  const size_t kind = static_cast<size_t>(node.kind);
  const bool narrow = node.spec.output.dtype == DType::kBF16;
  const double flops_rate = narrow ? rates.bf16_flops[kind] : rates.f32_flops[kind];

  double bytes = elements * static_cast<double>(bytes_of(node.spec.output.dtype, 1));
  double weight_elements = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const auto size = static_cast<double>(node.spec.operands[i].shape.elements());
    if (facts.is_weight(node.inputs[i])) {
      const double rows = static_cast<double>(part.channels.size()) /
                          static_cast<double>(std::max<int64_t>(1, node.whole.channels.size()));
      if (node.flops > 0 && node.kind != WorkKind::kMemory) weight_elements += size * rows;
    } else {
      bytes += share * size * static_cast<double>(bytes_of(node.spec.operands[i].dtype, 1));
    }
  }
  const double arithmetic = flops_rate > 0 ? share * node.flops / flops_rate : 0;
  return std::max(arithmetic, bytes / rates.memory_bytes) + weight_elements / rates.expand_elements +
         rates.kernel_seconds;
}

}  // namespace snug
