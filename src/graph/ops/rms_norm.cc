// rms_norm (Zhang and Sennrich, 2019): x, gamma [C]? → x / √(mean of x² over the channels + epsilon) · gamma.
// x is [..,C], or [N,C,..] as pictures and clips are; a gamma of theirs may be written [C,1,1] or [C,1,1,1].
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer(const Attrs&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  require(x.rank() >= 2 && x.rank() <= 5, "rms_norm takes [..,C] or [N,C,..], not {}", x);
  const Operand& gamma = inputs[1];
  const int64_t channels = x[channel_axis(x)];
  require(!gamma.present ||
              (gamma.shape.rank() >= 1 && gamma.shape[0] == channels && gamma.shape.elements() == channels),
          "rms_norm: scale {} for {} channels", gamma.shape, channels);
  return {inputs[0].dtype, x};
}

double flops(const Attrs&, std::span<const Operand>, const Operand& output) {
  return 4.0 * static_cast<double>(output.shape.elements());
}

std::string describe(const Attrs& attrs) {
  return fmt::format("epsilon={:g}", std::get<RmsNormAttrs>(attrs).epsilon);
}

}  // namespace

const OpInfo& rms_norm() {
  static constexpr OpInfo kInfo = {Op::kRmsNorm, "rms_norm", "x gamma?", infer,
                                   flops,        describe,   false,      needs_same_pixels};
  return kInfo;
}

}  // namespace snug::ops
