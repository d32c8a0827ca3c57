#include "plan/cost_model.h"

#include <algorithm>

namespace snug {

double predict_seconds(const NodeFacts& node, const Region& part, const Rates& rates) {
  const auto elements = static_cast<double>(part.elements());
  const double share = elements / static_cast<double>(std::max<int64_t>(1, node.whole.elements()));
  const size_t kind = static_cast<size_t>(node.kind);
  const bool narrow = node.spec.output.dtype == DType::kBF16;
  const double flops_rate = narrow ? rates.bf16_flops[kind] : rates.f32_flops[kind];

  const double bytes =
      elements * static_cast<double>(bytes_of(node.spec.output.dtype, 1)) + share * node.activation_bytes;
  const double rows = static_cast<double>(part.channels.size()) /
                      static_cast<double>(std::max<int64_t>(1, node.whole.channels.size()));
  const double arithmetic = flops_rate > 0 ? share * node.flops / flops_rate : 0;
  return std::max(arithmetic, bytes / rates.memory_bytes) +
         rows * node.weight_elements / rates.expand_elements + rates.kernel_seconds;
}

}  // namespace snug
