#include "graph/builder.h"

#include <fmt/format.h>

#include "base/error.h"

namespace snug {

ValueId GraphBuilder::input(std::string name, DType dtype, Shape shape, Variability variability) {
  return graph_.add_input(std::move(name), dtype, shape, variability);
}

void GraphBuilder::output(ValueId value, std::string name) {
  graph_.value(value).name = std::move(name);
  graph_.add_output(value);
}

namespace {

DType require_weight(const WeightScope& w, std::string_view tensor, const Shape& shape) {
  const WeightInfo info = w.require(tensor);
  if (!(info.shape == shape)) {
    throw Error(ErrorCode::kShapeMismatch,
                fmt::format("has shape {}, its place needs {}", info.shape.text(), shape.text()),
                "use weights and configuration of the same model")
        .in_file(w.source().name())
        .in_tensor(w.full_name(tensor));
  }
  return info.dtype;
}

}  // namespace

ValueId GraphBuilder::weight(const WeightScope& w, std::string_view tensor, const Shape& shape) {
  return graph_.add_weight(w.full_name(tensor), require_weight(w, tensor, shape), shape);
}

ValueId GraphBuilder::weight_as(const WeightScope& w, std::string_view tensor, const Shape& stored,
                                const Shape& shape) {
  return graph_.add_weight(w.full_name(tensor), require_weight(w, tensor, stored), shape);
}

GraphBuilder::Halves GraphBuilder::weight_halves(const WeightScope& w, std::string_view tensor,
                                                 const Shape& shape) {
  const DType dtype = require_weight(w, tensor, shape);
  Shape half = shape;
  half.set(0, shape[0] / 2);
  const std::string name = w.full_name(tensor);
  return {graph_.add_weight(name, dtype, half), graph_.add_weight(name, dtype, half, half[0])};
}

ValueId GraphBuilder::node(Op op, Attrs attrs, std::vector<ValueId> inputs, std::string name) {
  return graph_.add_node(op, std::move(attrs), std::move(inputs), std::move(name));
}

ValueId GraphBuilder::conv2d(ValueId x, const WeightScope& w, const Conv2dOptions& o) {
  const int64_t channels = shape(x).rank() == 4 ? shape(x)[1] : 0;
  const ValueId kernel = weight(w, "weight", Shape{o.out_channels, channels, o.kernel, o.kernel});
  const ValueId bias = o.bias ? weight(w, "bias", Shape{o.out_channels}) : kNoValue;
  const int64_t begin = o.pad_end_only ? 0 : o.padding;
  return node(Op::kConv2d, Conv2dAttrs{o.stride, begin, begin, o.padding, o.padding},
              {x, kernel, bias, kNoValue}, w.prefix());
}

ValueId GraphBuilder::conv3d(ValueId x, const WeightScope& w, const Conv3dOptions& o) {
  const int64_t channels = shape(x).rank() == 5 ? shape(x)[1] : 0;
  const Shape window{o.out_channels, channels, o.time_kernel, o.kernel, o.kernel};
  const Shape of_frames{o.out_channels, channels, o.kernel, o.kernel};
  const ValueId kernel = weight_as(w, "weight", o.weight_of_frames ? of_frames : window, window);
  const ValueId bias = o.bias ? weight(w, "bias", Shape{o.out_channels}) : kNoValue;
  const int64_t begin = o.pad_end_only ? 0 : o.padding;
  Conv3dAttrs attrs;
  attrs.stride = o.stride;
  attrs.time_stride = o.time_stride;
  attrs.pad_front = o.time_padding;
  attrs.pad_top = attrs.pad_left = begin;
  attrs.pad_bottom = attrs.pad_right = o.padding;
  attrs.unseen_frames = o.unseen_frames;
  return node(Op::kConv3d, attrs, {x, kernel, bias, kNoValue}, w.prefix());
}

ValueId GraphBuilder::linear_of_pixels(ValueId x, const WeightScope& w, const LinearOptions& o) {
  const Shape matrix{o.out_channels, shape(x)[-1]};
  const ValueId weights = weight_as(w, "weight", Shape{matrix[0], matrix[1], 1, 1}, matrix);
  const ValueId bias = o.bias ? weight(w, "bias", Shape{o.out_channels}) : kNoValue;
  return node(Op::kLinear, LinearAttrs{}, {x, weights, bias, kNoValue}, w.prefix());
}

ValueId GraphBuilder::linear(ValueId x, const WeightScope& w, const LinearOptions& o) {
  const ValueId matrix = weight(w, "weight", Shape{o.out_channels, shape(x)[-1]});
  const ValueId bias = o.bias ? weight(w, "bias", Shape{o.out_channels}) : kNoValue;
  return node(Op::kLinear, LinearAttrs{}, {x, matrix, bias, kNoValue}, w.prefix());
}

ValueId GraphBuilder::gated_linear(ValueId x, const WeightScope& w, const LinearOptions& o,
                                   Activation activation) {
  const Halves matrix = weight_halves(w, "weight", Shape{2 * o.out_channels, shape(x)[-1]});
  const Halves bias = o.bias ? weight_halves(w, "bias", Shape{2 * o.out_channels}) : Halves{};
  return node(Op::kLinear, LinearAttrs{activation, true},
              {x, matrix.first, bias.first, kNoValue, matrix.second, bias.second}, w.prefix());
}

ValueId GraphBuilder::gated_linear(ValueId x, const WeightScope& w, const WeightScope& gate,
                                   const LinearOptions& o, Activation activation) {
  const Shape matrix_shape{o.out_channels, shape(x)[-1]}, bias_shape{o.out_channels};
  const ValueId matrix = weight(w, "weight", matrix_shape);
  const ValueId bias = o.bias ? weight(w, "bias", bias_shape) : kNoValue;
  const ValueId gate_matrix = weight(gate, "weight", matrix_shape);
  const ValueId gate_bias = o.bias ? weight(gate, "bias", bias_shape) : kNoValue;
  return node(Op::kLinear, LinearAttrs{activation, true}, {x, matrix, bias, kNoValue, gate_matrix, gate_bias},
              w.prefix());
}

ValueId GraphBuilder::group_norm(ValueId x, const WeightScope& w, const NormOptions& o) {
  const Shape channels{shape(x)[1]};
  const ValueId gamma = weight(w, "weight", channels);
  const ValueId beta = weight(w, "bias", channels);
  return node(Op::kGroupNorm, GroupNormAttrs{o.groups, o.epsilon}, {x, gamma, beta, kNoValue}, w.prefix());
}

ValueId GraphBuilder::layer_norm(ValueId x, const WeightScope& w, const NormOptions& o) {
  const Shape channels{shape(x)[-1]};
  const ValueId gamma = weight(w, "weight", channels);
  const ValueId beta = weight(w, "bias", channels);
  return node(Op::kLayerNorm, LayerNormAttrs{o.epsilon}, {x, gamma, beta}, w.prefix());
}

ValueId GraphBuilder::rms_norm(ValueId x, const WeightScope& w, const NormOptions& o) {
  const int64_t channels = shape(x).rank() >= 4 ? shape(x)[1] : shape(x)[-1];
  const ValueId gamma = weight(w, o.scale_tensor, Shape{channels});
  return node(Op::kRmsNorm, RmsNormAttrs{o.epsilon}, {x, gamma}, w.prefix());
}

ValueId GraphBuilder::embedding(ValueId ids, const WeightScope& w, int64_t rows, int64_t channels) {
  const ValueId table = weight(w, "weight", Shape{rows, channels});
  return node(Op::kEmbedding, std::monostate{}, {ids, table}, w.prefix());
}

ValueId GraphBuilder::activation(ValueId x, Activation activation) {
  return node(Op::kActivation, ActivationAttrs{activation}, {x},
              graph_.value(x).name + "." + std::string(activation_name(activation)));
}

ValueId GraphBuilder::add(ValueId x, ValueId y) {
  return node(Op::kAdd, std::monostate{}, {x, y}, graph_.value(x).name + ".add");
}

ValueId GraphBuilder::add_channels(ValueId x, ValueId y) {
  return node(Op::kAddChannels, std::monostate{}, {x, y}, graph_.value(x).name + ".add");
}

ValueId GraphBuilder::affine(ValueId x, float scale, float offset) {
  return node(Op::kAffine, AffineAttrs{scale, offset}, {x}, graph_.value(x).name + ".affine");
}

ValueId GraphBuilder::concat(std::span<const ValueId> parts, int axis) {
  return node(Op::kConcat, ConcatAttrs{axis}, {parts.begin(), parts.end()},
              graph_.value(parts[0]).name + ".concat");
}

ValueId GraphBuilder::slice(ValueId x, int axis, int64_t begin, int64_t length) {
  return node(Op::kSlice, SliceAttrs{axis, begin, length}, {x}, graph_.value(x).name + ".slice");
}

ValueId GraphBuilder::upsample_nearest(ValueId x, int64_t height, int64_t width) {
  const Shape target{shape(x)[0], shape(x)[1], height, width};
  return node(Op::kUpsampleNearest, TargetShapeAttrs{target}, {x}, graph_.value(x).name + ".upsample");
}

ValueId GraphBuilder::attention(ValueId q, ValueId k, ValueId v, const AttentionAttrs& attrs, ValueId bias) {
  std::vector<ValueId> inputs = {q, k, v};
  if (bias != kNoValue) inputs.push_back(bias);
  return node(Op::kAttention, attrs, std::move(inputs), graph_.value(q).name + ".attention");
}

ValueId GraphBuilder::timestep_embedding(ValueId timestep, const TimestepEmbeddingAttrs& attrs) {
  return node(Op::kTimestepEmbedding, attrs, {timestep}, "time_proj");
}

ValueId GraphBuilder::tokens(ValueId x) {
  return node(Op::kTokens, std::monostate{}, {x}, graph_.value(x).name + ".tokens");
}

ValueId GraphBuilder::image(ValueId x, int64_t height, int64_t width) {
  const Shape target{shape(x)[0], shape(x)[2], height, width};
  return node(Op::kImage, TargetShapeAttrs{target}, {x}, graph_.value(x).name + ".image");
}

ValueId GraphBuilder::clip(ValueId x, int64_t frames, int64_t height, int64_t width) {
  const Shape target{shape(x)[0], shape(x)[2], frames, height, width};
  return node(Op::kImage, TargetShapeAttrs{target}, {x}, graph_.value(x).name + ".clip");
}

ValueId GraphBuilder::modulate(ValueId x, const TimeRows& rows, const ModulateAttrs& attrs) {
  return node(Op::kModulate, attrs, {x, rows.time, rows.table, rows.first_time},
              graph_.value(x).name + ".modulate");
}

ValueId GraphBuilder::gated_add(ValueId x, ValueId y, const TimeRows& rows, const GatedAddAttrs& attrs) {
  return node(Op::kGatedAdd, attrs, {x, y, rows.time, rows.table, rows.first_time},
              graph_.value(x).name + ".gated_add");
}

ValueId GraphBuilder::rotary(ValueId x, const RotaryAttrs& attrs) {
  return node(Op::kRotary, attrs, {x}, graph_.value(x).name + ".rotary");
}

ValueId GraphBuilder::depth_to_space(ValueId x, const BlockAttrs& attrs) {
  return node(Op::kDepthToSpace, attrs, {x}, graph_.value(x).name + ".depth_to_space");
}

ValueId GraphBuilder::space_to_depth(ValueId x, const BlockAttrs& attrs) {
  return node(Op::kSpaceToDepth, attrs, {x}, graph_.value(x).name + ".space_to_depth");
}

ValueId GraphBuilder::first_frame(ValueId y, ValueId x) {
  return node(Op::kFirstFrame, std::monostate{}, {y, x}, graph_.value(y).name + ".first_frame");
}

ValueId GraphBuilder::reshape(ValueId x, const Shape& target) {
  return node(Op::kReshape, TargetShapeAttrs{target}, {x}, graph_.value(x).name + ".reshape");
}

ValueId GraphBuilder::name(ValueId x, const WeightScope& w) {
  graph_.value(x).name = w.prefix();
  return x;
}

}  // namespace snug
