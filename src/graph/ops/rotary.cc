// rotary (Su et al., 2021, "RoFormer"), in three dimensions as Wan has it: x [N,L,heads·d], L = frames ·
// height · width tokens in that order. Channels 2i and 2i + 1 of a head are turned by an angle: of the d/2
// pairs the last d/6 each follow the token's row and column, the others its frame. Pair i of a part of D
// channels turns by place / theta^(2i / D).
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<RotaryAttrs>(attrs);
  const Shape& x = inputs[0].shape;
  require(x.rank() == 3 && a.heads > 0 && x[2] % (2 * a.heads) == 0, "rotary: {} heads of {}", a.heads, x);
  require(x[1] == a.frames * a.height * a.width, "rotary: {} tokens at {}×{}×{} places", x[1], a.frames,
          a.height, a.width);
  return {inputs[0].dtype, x};
}

double flops(const Attrs&, std::span<const Operand>, const Operand& output) {
  return 3.0 * static_cast<double>(output.shape.elements());
}

std::string describe(const Attrs& attrs) {
  const auto& a = std::get<RotaryAttrs>(attrs);
  return fmt::format("heads={} places={}x{}x{}", a.heads, a.frames, a.height, a.width);
}

}  // namespace

const OpInfo& rotary() {
  static constexpr OpInfo kInfo = {Op::kRotary, "rotary", "x",   infer,
                                   flops,       describe, false, needs_same_pixels};
  return kInfo;
}

}  // namespace snug::ops
