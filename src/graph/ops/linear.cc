// linear: x [...,K], weight [M,K], bias [M]?, residual [...,M]? → activation(x weightᵀ + bias + residual).
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer(const Attrs&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  const Shape& weight = inputs[1].shape;
  require((x.rank() == 2 || x.rank() == 3) && weight.rank() == 2,
          "linear takes [..,K] and [M,K], not {} and {}", x.text(), weight.text());
  require(x[-1] == weight[1], "linear: the input has {} channels, the weight takes {}", x[-1], weight[1]);
  Shape out = x;
  out.set(-1, weight[0]);
  require(!inputs[2].present || inputs[2].shape == Shape{weight[0]}, "linear: bias {} for {} channels",
          inputs[2].shape.text(), weight[0]);
  require(!inputs[3].present || inputs[3].shape == out, "linear: residual {} for output {}",
          inputs[3].shape.text(), out.text());
  return {inputs[0].dtype, out};
}

Region needs(const Attrs&, std::span<const Operand> inputs, const Operand&, size_t input, const Region& out) {
  if (input == 0) return same_pixels(inputs[0], out);
  return input == 3 ? same_region(inputs[3], out) : rows_of_channels(out);
}

double flops(const Attrs&, std::span<const Operand> inputs, const Operand& output) {
  return 2.0 * static_cast<double>(output.shape.elements()) * static_cast<double>(inputs[1].shape[1]);
}

std::string describe(const Attrs& attrs) {
  return fmt::format("activation={}", activation_name(std::get<LinearAttrs>(attrs).activation));
}

}  // namespace

const OpInfo& linear() {
  static constexpr OpInfo kInfo = {Op::kLinear, "linear", "x weight bias? residual?", infer, flops, describe,
                                   false,       needs};
  return kInfo;
}

}  // namespace snug::ops
