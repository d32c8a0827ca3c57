#include "backend/cpu/dense_kernel.h"

#include <fmt/format.h>

#include "backend/stored_layout.h"

namespace snug {

bool takes_types_of(const NodeSpec& node, std::string& reason) {
  if (node.operands[0].is_weight) {
    reason = "takes an activation, not a weight";
    return false;
  }
  const DType in = stored_dtype(node.operands[0]), out = node.output.dtype;
  if (in == out && (in == DType::kF32 || in == DType::kBF16)) return true;
  reason = fmt::format("takes F32 to F32 or BF16 to BF16, not {} to {}", dtype_info(in).name,
                       dtype_info(out).name);
  return false;
}

}  // namespace snug
