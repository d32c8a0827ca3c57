// activation: one function of each element. add: x + y, where y has x's shape or is a suffix of it (position
// embeddings). add_channels: x [N,C,H,W] plus y [N or 1, C] at every pixel. affine: scale x + offset. cast:
// the same values in another element type.
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer_same(const Attrs&, std::span<const Operand> inputs) {
  return {inputs[0].dtype, inputs[0].shape};
}

Operand infer_add(const Attrs&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  const Shape& y = inputs[1].shape;
  bool suffix = y.rank() <= x.rank() && (y.rank() == x.rank() || x.rank() <= 3);
  for (int i = 1; suffix && i <= y.rank(); ++i) suffix = x[-i] == y[-i];
  require(suffix, "add: {} is neither {} nor its inner part", y, x);
  return {inputs[0].dtype, x};
}

Operand infer_add_channels(const Attrs&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  const Shape& y = inputs[1].shape;
  require(x.rank() == 4 && (y == Shape{x[0], x[1]} || y == Shape{1, x[1]}), "add_channels: {} for {}", y, x);
  return {inputs[0].dtype, x};
}

Operand infer_cast(const Attrs& attrs, std::span<const Operand> inputs) {
  return {std::get<CastAttrs>(attrs).dtype, inputs[0].shape};
}

// A shorter y repeats: all of it.
Region add_needs(const Attrs&, std::span<const Operand> inputs, const Operand& output, size_t input,
                 const Region& out) {
  const Operand& operand = inputs[input];
  const bool same_shape = !operand.is_weight && operand.shape == output.shape;
  return same_shape ? same_region(operand, out) : whole_operand(operand);
}

Region add_channels_needs(const Attrs&, std::span<const Operand> inputs, const Operand&, size_t input,
                          const Region& out) {
  if (inputs[input].is_weight) return whole_operand(inputs[input]);
  if (input == 0) return same_region(inputs[0], out);
  Region region = same_images(inputs[1], out);
  region.channels = out.channels;
  return region;
}

double flops_of_function(const Attrs&, std::span<const Operand>, const Operand& output) {
  return kFlopsOfFunction * static_cast<double>(output.shape.elements());
}

std::string describe_activation(const Attrs& attrs) {
  return std::string(activation_name(std::get<ActivationAttrs>(attrs).activation));
}

std::string describe_affine(const Attrs& attrs) {
  const auto& a = std::get<AffineAttrs>(attrs);
  return fmt::format("scale={:g} offset={:g}", a.scale, a.offset);
}

std::string describe_cast(const Attrs& attrs) {
  return std::string(dtype_info(std::get<CastAttrs>(attrs).dtype).name);
}

}  // namespace

const OpInfo& activation() {
  static constexpr OpInfo kInfo = {Op::kActivation,   "activation",        "x",   infer_same,
                                   flops_of_function, describe_activation, false, needs_same_region};
  return kInfo;
}
const OpInfo& add() {
  static constexpr OpInfo kInfo = {Op::kAdd,         "add",          "x y", infer_add,
                                   flop_per_element, nothing_to_say, false, add_needs};
  return kInfo;
}
const OpInfo& add_channels() {
  static constexpr OpInfo kInfo = {Op::kAddChannels, "add_channels", "x y", infer_add_channels,
                                   flop_per_element, nothing_to_say, false, add_channels_needs};
  return kInfo;
}
const OpInfo& affine() {
  static constexpr OpInfo kInfo = {Op::kAffine,      "affine",        "x",   infer_same,
                                   flop_per_element, describe_affine, false, needs_same_region};
  return kInfo;
}
const OpInfo& cast() {
  static constexpr OpInfo kInfo = {Op::kCast, "cast",        "x",   infer_cast,
                                   no_flops,  describe_cast, false, needs_same_region};
  return kInfo;
}

}  // namespace snug::ops
