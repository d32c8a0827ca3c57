// group_norm (Wu and He, 2018): x [N,C,H,W], gamma [C], beta [C], channel_add [N or 1, C]? →
// activation(normalise(x + channel_add) gamma + beta), statistics over each group's channels and all pixels.
// channel_add is the timestep embedding that a ResNet block adds before its second norm.
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<GroupNormAttrs>(attrs);
  const Shape& x = inputs[0].shape;
  require(x.rank() == 4, "group_norm takes [N,C,H,W], not {}", x.text());
  require(a.groups > 0 && x[1] % a.groups == 0, "group_norm: {} groups do not divide {} channels", a.groups,
          x[1]);
  for (const int i : {1, 2}) {
    require(inputs[static_cast<size_t>(i)].shape == Shape{x[1]},
            "group_norm: scale or shift {} for {} channels", inputs[static_cast<size_t>(i)].shape.text(),
            x[1]);
  }
  const Operand& channel_add = inputs[3];
  require(
      !channel_add.present || channel_add.shape == Shape{x[0], x[1]} || channel_add.shape == Shape{1, x[1]},
      "group_norm: channel_add {} for {}", channel_add.shape.text(), x.text());
  return {inputs[0].dtype, x};
}

double flops(const Attrs&, std::span<const Operand>, const Operand& output) {
  return 8.0 * static_cast<double>(output.shape.elements());
}

std::string describe(const Attrs& attrs) {
  const auto& a = std::get<GroupNormAttrs>(attrs);
  return fmt::format("groups={} epsilon={:g} activation={}", a.groups, a.epsilon,
                     activation_name(a.activation));
}

}  // namespace

const OpInfo& group_norm() {
  static constexpr OpInfo kInfo = {Op::kGroupNorm, "group_norm", "x gamma beta channel_add?", infer, flops,
                                   describe,       false};
  return kInfo;
}

}  // namespace snug::ops
