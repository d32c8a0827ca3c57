// layer_norm (Ba et al., 2016): x [...,C], gamma [C]?, beta [C]? → normalised over the innermost dimension.
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer(const Attrs&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  require(x.rank() == 2 || x.rank() == 3, "layer_norm takes [..,C], not {}", x);
  for (const Operand& weight : inputs.subspan(1)) {
    require(!weight.present || weight.shape == Shape{x[-1]}, "layer_norm: scale or shift {} for {} channels",
            weight.shape, x[-1]);
  }
  return {inputs[0].dtype, x};
}

double flops(const Attrs&, std::span<const Operand>, const Operand& output) {
  return 8.0 * static_cast<double>(output.shape.elements());
}

std::string describe(const Attrs& attrs) {
  return fmt::format("epsilon={:g}", std::get<LayerNormAttrs>(attrs).epsilon);
}

}  // namespace

const OpInfo& layer_norm() {
  static constexpr OpInfo kInfo = {Op::kLayerNorm, "layer_norm", "x gamma? beta?", infer, flops,
                                   describe,       false,        needs_same_pixels};
  return kInfo;
}

}  // namespace snug::ops
