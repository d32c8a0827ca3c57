// The one list of operations.
#include <array>

#include "base/check.h"
#include "graph/op.h"
#include "graph/ops/rules.h"

namespace snug {

std::string_view activation_name(Activation activation) {
  static constexpr std::array<std::string_view, 7> kNames = {"none",       "silu", "gelu", "gelu_tanh",
                                                             "quick_gelu", "relu", "tanh"};
  return kNames[static_cast<size_t>(activation)];
}

const OpInfo& op_info(Op op) {
  static const std::array<const OpInfo*, kOpCount> kList = {
      &ops::conv2d(),
      &ops::linear(),
      &ops::group_norm(),
      &ops::group_statistics(),
      &ops::group_norm_apply(),
      &ops::layer_norm(),
      &ops::rms_norm(),
      &ops::activation(),
      &ops::add(),
      &ops::add_channels(),
      &ops::affine(),
      &ops::concat(),
      &ops::slice(),
      &ops::upsample_nearest(),
      &ops::embedding(),
      &ops::attention(),
      &ops::timestep_embedding(),
      &ops::tokens(),
      &ops::image(),
      &ops::reshape(),
      &ops::conv3d(),
      &ops::modulate(),
      &ops::gated_add(),
      &ops::rotary(),
      &ops::depth_to_space(),
      &ops::space_to_depth(),
      &ops::first_frame(),
      &ops::cast(),
  };
  const OpInfo& info = *kList[static_cast<size_t>(op)];
  SNUG_CHECK(info.op == op, "the list is in the order of the enumeration");
  return info;
}

Region input_region(Op op, const Attrs& attrs, std::span<const Operand> inputs, const Operand& output,
                    size_t input, const Region& out) {
  const OpInfo& info = op_info(op);
  if (info.needs != nullptr) return info.needs(attrs, inputs, output, input, out);
  return ops::whole_operand(inputs[input]);
}

int64_t pixel_step(Op op, const Attrs& attrs, std::span<const Operand> inputs, const Operand& output) {
  const OpInfo& info = op_info(op);
  return info.step == nullptr ? 1 : info.step(attrs, inputs, output);
}

Cost op_cost(Op op, const Attrs& attrs, std::span<const Operand> inputs, const Operand& output) {
  Cost cost;
  cost.flops = op_info(op).flops(attrs, inputs, output);
  if (op_info(op).is_view) return cost;
  const auto add_bytes = [&](const Operand& operand) {
    if (operand.present) cost.bytes += static_cast<double>(bytes_of(operand.dtype, operand.shape.elements()));
  };
  for (const Operand& input : inputs) add_bytes(input);
  add_bytes(output);
  return cost;
}

}  // namespace snug
