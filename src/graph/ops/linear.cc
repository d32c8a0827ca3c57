// linear: x [...,K], weight [M,K], bias [M]?, residual [...,M]? → activation(x weightᵀ + bias + residual).
//
// Gated (Dauphin et al., 2017; with gelu GEGLU, Shazeer, 2020) it has two more operands, gate_weight [M,K]
// and gate_bias [M]?, and no residual → (x weightᵀ + bias) activation(x gate_weightᵀ + gate_bias).
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

constexpr size_t kOperands = 4, kGatedOperands = 6;

bool is_gated(const Attrs& attrs) { return std::get<LinearAttrs>(attrs).gated; }

void require_gate(std::span<const Operand> inputs) {
  const Shape& weight = inputs[1].shape;
  require(!inputs[3].present, "a gated linear takes no residual");
  require(inputs[4].present && inputs[4].shape == weight, "linear: gate {} beside weight {}", inputs[4].shape,
          weight);
  require(!inputs[5].present || inputs[5].shape == Shape{weight[0]}, "linear: gate's bias {} for {} channels",
          inputs[5].shape, weight[0]);
}

Operand infer(const Attrs& attrs, std::span<const Operand> inputs) {
  require(inputs.size() == (is_gated(attrs) ? kGatedOperands : kOperands), "linear: {} operands",
          inputs.size());
  const Shape& x = inputs[0].shape;
  const Shape& weight = inputs[1].shape;
  require((x.rank() == 2 || x.rank() == 3) && weight.rank() == 2,
          "linear takes [..,K] and [M,K], not {} and {}", x, weight);
  require(x[-1] == weight[1], "linear: the input has {} channels, the weight takes {}", x[-1], weight[1]);
  Shape out = x;
  out.set(-1, weight[0]);
  require(!inputs[2].present || inputs[2].shape == Shape{weight[0]}, "linear: bias {} for {} channels",
          inputs[2].shape, weight[0]);
  require(!inputs[3].present || inputs[3].shape == out, "linear: residual {} for output {}", inputs[3].shape,
          out);
  if (is_gated(attrs)) require_gate(inputs);
  return {inputs[0].dtype, out};
}

Region needs(const Attrs&, std::span<const Operand> inputs, const Operand&, size_t input, const Region& out) {
  if (input == 0) return same_pixels(inputs[0], out);
  return input == 3 ? same_region(inputs[3], out) : rows_of_channels(out);
}

double flops(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output) {
  const auto outputs = static_cast<double>(output.shape.elements());
  const double product = 2.0 * outputs * static_cast<double>(inputs[1].shape[1]);
  return is_gated(attrs) ? 2 * product + outputs * (kFlopsOfFunction + 1) : product;
}

std::string describe(const Attrs& attrs) {
  const auto& linear = std::get<LinearAttrs>(attrs);
  return fmt::format("{}={}", linear.gated ? "gate" : "activation", activation_name(linear.activation));
}

}  // namespace

const OpInfo& linear() {
  static constexpr OpInfo kInfo = {Op::kLinear, "linear", "x weight bias? residual? gate_weight? gate_bias?",
                                   infer,       flops,    describe,
                                   false,       needs};
  return kInfo;
}

}  // namespace snug::ops
