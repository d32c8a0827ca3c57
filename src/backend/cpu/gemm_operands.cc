// What a product takes and how it wants its operands to lie; the product itself is in gemm.cc.
#include <fmt/format.h>

#include "backend/cpu/gemm.h"

namespace snug {

bool ProductKernel::is_matrix(int index) {
  return index == static_cast<int>(kProductWeight) || index == static_cast<int>(kProductGateWeight);
}

DType ProductKernel::weight_dtype(int index) const {
  return is_matrix(index) ? shape_.weight_type : DType::kF32;
}

uint64_t ProductKernel::weight_packing(int index) const {
  return is_matrix(index) ? weight_.arrangement() : 0;
}
size_t ProductKernel::packing_bytes(int index) const { return is_matrix(index) ? weight_.room_bytes() : 0; }
void ProductKernel::pack_weight(int /*index*/, std::byte* rows, int64_t count, std::byte* room) const {
  weight_.pack(rows, count, room);
}

// Any cut gives the same bits; 64 keeps panels whole.
Splits ProductKernel::splits() const { return {true, true, 64}; }

// A tile's residual is read before the tile is written, and nothing else reads it.
bool ProductKernel::may_overwrite(int index) const { return index == static_cast<int>(kProductResidual); }

bool product_takes(const NodeSpec& node, std::string& reason) {
  const DType type = node.operands[kProductX].dtype;
  const Operand& residual = node.operands[kProductResidual];
  const Operand& weight = node.operands[kProductWeight];
  const bool gated = node.operands.size() > kProductGateWeight;
  if (type != DType::kF32 && type != DType::kBF16) {
    reason = fmt::format("computes in F32 and BF16, not {}", dtype_info(type).name);
  } else if (node.output.dtype != type || (residual.present && residual.dtype != type)) {
    reason = "output and residual must have the input's element type";
  } else if (node.output.shape.elements() == 0 || weight.shape.elements() == 0) {
    reason = "nothing to compute";
  } else if (gated && product_weight_type(node.operands[kProductGateWeight]) != product_weight_type(weight)) {
    reason = "the gate's weight must have the other's element type";
  } else {
    return true;
  }
  return false;
}

DType product_weight_type(const Operand& weight) {
  return weight.dtype == DType::kF16 || weight.dtype == DType::kBF16 ? weight.dtype : DType::kF32;
}

}  // namespace snug
