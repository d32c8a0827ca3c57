// How model files write their graph: each call adds one operation whose weights are looked up under a
// WeightScope and checked against the shape that the architecture gives them.
//
//   x = b.group_norm(x, w.sub("norm1"), {.groups = 32});
//   x = b.activation(x, Activation::kSilu);
//   x = b.conv2d(x, w.sub("conv1"), {.out_channels = 320, .kernel = 3, .padding = 1});
//
// Values are named after the scope that makes them, so that tests find them by diffusers' module names.
// Throws missing_tensor, shape_mismatch (naming file and tensor).
#pragma once

#include <span>
#include <string>

#include "graph/graph.h"
#include "graph/weight_scope.h"

namespace snug {

struct Conv2dOptions {
  int64_t out_channels = 0;
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 1;
  bool pad_end_only = false;  // `padding` on the right and bottom, none on the left and top
  bool bias = true;
};

// Of a clip. Padding in space is on all sides, in time in front.
struct Conv3dOptions {
  int64_t out_channels = 0;
  int64_t time_kernel = 3, kernel = 3;
  int64_t stride = 1, time_stride = 1;
  int64_t padding = 1;            // in space
  bool pad_end_only = false;      // in space: on the right and bottom, none on the left and top
  int64_t time_padding = 2;       // frames of zeros in front
  int64_t unseen_frames = 0;      // so many frames at the beginning count as zeros
  bool weight_of_frames = false;  // stored as [O,C,kh,kw]: a convolution of each frame; time_kernel is 1
  bool bias = true;
};

struct LinearOptions {
  int64_t out_channels = 0;
  bool bias = true;
};

struct NormOptions {
  int64_t groups = 1;  // group_norm only
  float epsilon = 1e-5F;
  std::string_view scale_tensor = "weight";  // rms_norm only
};

// What a timestep gives a block: rows [1, kC], rows learned, and rows of the tokens at the beginning.
struct TimeRows {
  ValueId time = kNoValue, table = kNoValue, first_time = kNoValue;
};

class GraphBuilder {
 public:
  // Appends to `graph`, which must outlive the builder.
  explicit GraphBuilder(Graph& graph) : graph_(graph) {}

  ValueId input(std::string name, DType dtype, Shape shape, Variability variability);
  void output(ValueId value, std::string name);
  // A weight used as a value of its own (position embeddings).
  ValueId weight(const WeightScope& w, std::string_view tensor, const Shape& shape);
  // The same for a tensor whose file has other ones between its extents; the rows of dimension 0 are the
  // same.
  ValueId weight_as(const WeightScope& w, std::string_view tensor, const Shape& stored, const Shape& shape);

  ValueId conv2d(ValueId x, const WeightScope& w, const Conv2dOptions& options);
  ValueId conv3d(ValueId x, const WeightScope& w, const Conv3dOptions& options);
  ValueId linear(ValueId x, const WeightScope& w, const LinearOptions& options);
  // A convolution of one pixel [O,C,1,1] taken as the matrix that it is.
  ValueId linear_of_pixels(ValueId x, const WeightScope& w, const LinearOptions& options);
  // x weightᵀ + bias times an activation of the gate, which is another such product. Both stand in one tensor
  // (and one bias) of 2 * out_channels rows: the gate's behind the others.
  ValueId gated_linear(ValueId x, const WeightScope& w, const LinearOptions& options, Activation activation);
  // The same from two tensors, each of out_channels rows.
  ValueId gated_linear(ValueId x, const WeightScope& w, const WeightScope& gate, const LinearOptions& options,
                       Activation activation);
  ValueId group_norm(ValueId x, const WeightScope& w, const NormOptions& options);
  ValueId layer_norm(ValueId x, const WeightScope& w, const NormOptions& options);
  // Over the channels: the last axis, of pictures and clips axis 1.
  ValueId rms_norm(ValueId x, const WeightScope& w, const NormOptions& options);
  ValueId embedding(ValueId ids, const WeightScope& w, int64_t rows, int64_t channels);

  ValueId activation(ValueId x, Activation activation);
  ValueId add(ValueId x, ValueId y);
  ValueId add_channels(ValueId x, ValueId y);
  ValueId affine(ValueId x, float scale, float offset);
  ValueId concat(std::span<const ValueId> parts, int axis);
  ValueId slice(ValueId x, int axis, int64_t begin, int64_t length);
  ValueId upsample_nearest(ValueId x, int64_t height, int64_t width);
  // `bias` [1,Lq+Lk-1,heads], by relative position: graph/ops/attention.cc.
  ValueId attention(ValueId q, ValueId k, ValueId v, const AttentionAttrs& attrs, ValueId bias = kNoValue);
  ValueId timestep_embedding(ValueId timestep, const TimestepEmbeddingAttrs& attrs);
  ValueId tokens(ValueId x);
  ValueId image(ValueId x, int64_t height, int64_t width);
  ValueId clip(ValueId x, int64_t frames, int64_t height, int64_t width);
  ValueId reshape(ValueId x, const Shape& shape);
  // `rows` of the table, of x's width each. first_time may be kNoValue.
  ValueId modulate(ValueId x, const TimeRows& rows, const ModulateAttrs& attrs);
  ValueId gated_add(ValueId x, ValueId y, const TimeRows& rows, const GatedAddAttrs& attrs);
  ValueId rotary(ValueId x, const RotaryAttrs& attrs);
  ValueId depth_to_space(ValueId x, const BlockAttrs& attrs);
  ValueId space_to_depth(ValueId x, const BlockAttrs& attrs);
  ValueId first_frame(ValueId y, ValueId x);

  const Shape& shape(ValueId x) const { return graph_.value(x).shape; }
  // Renames the last value of a module to the module's own name.
  ValueId name(ValueId x, const WeightScope& w);

 private:
  struct Halves {
    ValueId first = kNoValue, second = kNoValue;
  };
  // Weights `w.tensor` of that shape, as two of half the rows.
  Halves weight_halves(const WeightScope& w, std::string_view tensor, const Shape& shape);
  ValueId node(Op op, Attrs attrs, std::vector<ValueId> inputs, std::string name);
  Graph& graph_;
};

}  // namespace snug
