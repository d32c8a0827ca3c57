// Operations that move or rename elements and compute nothing.
// concat: any number of inputs joined along one axis. slice: part of one axis. upsample_nearest: x [N,C,H,W]
// to the stated height and width, out[y] = in[floor(y H / H')]. tokens: [N,C,H,W] → [N,HW,C], or [N,C,T,H,W]
// → [N,THW,C]; image: back; both are views because pictures are stored channels-last. reshape: another shape
// over the same row-major bytes.
#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer_concat(const Attrs& attrs, std::span<const Operand> inputs) {
  const int axis = std::get<ConcatAttrs>(attrs).axis;
  require(!inputs.empty() && axis >= 0 && axis < inputs[0].shape.rank(), "concat: no axis {}", axis);
  Shape out = inputs[0].shape;
  int64_t total = 0;
  for (const Operand& input : inputs) {
    Shape aligned = input.shape;
    require(aligned.rank() == out.rank(), "concat: {} beside {}", aligned, out);
    total += aligned[axis];
    aligned.set(axis, out[axis]);
    require(aligned == out && input.dtype == inputs[0].dtype, "concat along {}: {} beside {}", axis,
            input.shape, out);
  }
  out.set(axis, total);
  return {inputs[0].dtype, out};
}

Operand infer_slice(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<SliceAttrs>(attrs);
  Shape out = inputs[0].shape;
  require(
      a.axis >= 0 && a.axis < out.rank() && a.begin >= 0 && a.length > 0 && a.begin + a.length <= out[a.axis],
      "slice: {}..{} of axis {} of {}", a.begin, a.begin + a.length, a.axis, out);
  out.set(a.axis, a.length);
  return {inputs[0].dtype, out};
}

Operand infer_upsample(const Attrs& attrs, std::span<const Operand> inputs) {
  const Shape& out = std::get<TargetShapeAttrs>(attrs).shape;
  const Shape& x = inputs[0].shape;
  require(x.rank() == 4 && out.rank() == 4 && out[0] == x[0] && out[1] == x[1] && out[2] >= x[2] &&
              out[3] >= x[3],
          "upsample_nearest: {} to {}", x, out);
  return {inputs[0].dtype, out};
}

Operand infer_tokens(const Attrs&, std::span<const Operand> inputs) {
  const Shape& x = inputs[0].shape;
  require(x.rank() == 4 || x.rank() == 5, "tokens takes [N,C,H,W] or [N,C,T,H,W], not {}", x);
  return {inputs[0].dtype, Shape{x[0], x.elements() / (x[0] * x[1]), x[1]}};
}

Operand infer_image(const Attrs& attrs, std::span<const Operand> inputs) {
  const Shape& out = std::get<TargetShapeAttrs>(attrs).shape;
  const Shape& x = inputs[0].shape;
  require(x.rank() == 3 && (out.rank() == 4 || out.rank() == 5) && x[0] == out[0] && x[2] == out[1] &&
              x.elements() == out.elements(),
          "image: {} to {}", x, out);
  return {inputs[0].dtype, out};
}

Operand infer_reshape(const Attrs& attrs, std::span<const Operand> inputs) {
  const Shape& out = std::get<TargetShapeAttrs>(attrs).shape;
  const Shape& x = inputs[0].shape;
  require(x.rank() <= 3 && out.rank() <= 3 && x.elements() == out.elements(), "reshape: {} to {}", x, out);
  return {inputs[0].dtype, out};
}

// Joined channels come from the same pixels; any other axis from everywhere.
Region concat_needs(const Attrs& attrs, std::span<const Operand> inputs, const Operand&, size_t input,
                    const Region& out) {
  const Operand& operand = inputs[input];
  const bool of_channels = std::get<ConcatAttrs>(attrs).axis == channel_axis(operand.shape);
  return of_channels && !operand.is_weight ? same_pixels(operand, out) : whole_operand(operand);
}

Region slice_needs(const Attrs& attrs, std::span<const Operand> inputs, const Operand&, size_t,
                   const Region& out) {
  const auto& a = std::get<SliceAttrs>(attrs);
  if (a.axis != channel_axis(inputs[0].shape) || inputs[0].is_weight) return whole_operand(inputs[0]);
  Region region = same_pixels(inputs[0], out);
  region.channels = {a.begin + out.channels.begin, a.begin + out.channels.end};
  return region;
}

Region upsample_needs(const Attrs&, std::span<const Operand> inputs, const Operand& output, size_t,
                      const Region& out) {
  const Shape& in = inputs[0].shape;
  const int64_t height = output.shape[2];
  const Interval rows = picture_rows(out, output.shape[3]);
  Region region = same_region(inputs[0], out);
  region.pixels = {rows.begin * in[2] / height * in[3], ((rows.end - 1) * in[2] / height + 1) * in[3]};
  return region;
}

std::string describe_concat(const Attrs& attrs) {
  return fmt::format("axis={}", std::get<ConcatAttrs>(attrs).axis);
}

std::string describe_slice(const Attrs& attrs) {
  const auto& a = std::get<SliceAttrs>(attrs);
  return fmt::format("axis={} begin={} length={}", a.axis, a.begin, a.length);
}

std::string describe_target(const Attrs& attrs) {
  return fmt::format("to={}", std::get<TargetShapeAttrs>(attrs).shape);
}

}  // namespace

const OpInfo& concat() {
  static constexpr OpInfo kInfo = {Op::kConcat, "concat",        "x*",  infer_concat,
                                   no_flops,    describe_concat, false, concat_needs};
  return kInfo;
}
const OpInfo& slice() {
  static constexpr OpInfo kInfo = {Op::kSlice, "slice",        "x",   infer_slice,
                                   no_flops,   describe_slice, false, slice_needs};
  return kInfo;
}
const OpInfo& upsample_nearest() {
  static constexpr OpInfo kInfo = {
      Op::kUpsampleNearest, "upsample_nearest", "x", infer_upsample, no_flops, describe_target, false,
      upsample_needs,       step_of_one_row};
  return kInfo;
}
const OpInfo& tokens() {
  static constexpr OpInfo kInfo = {Op::kTokens, "tokens",       "x",  infer_tokens,
                                   no_flops,    nothing_to_say, true, needs_same_region};
  return kInfo;
}
const OpInfo& image() {
  static constexpr OpInfo kInfo = {Op::kImage, "image",         "x",  infer_image,
                                   no_flops,   describe_target, true, needs_same_region};
  return kInfo;
}
const OpInfo& reshape() {
  static constexpr OpInfo kInfo = {Op::kReshape, "reshape",       "x", infer_reshape,
                                   no_flops,     describe_target, true};
  return kInfo;
}

}  // namespace snug::ops
