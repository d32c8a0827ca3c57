// The operations of the graph: their names, attributes, shape rules, and costs. One file in ops/ defines
// each operation; op_list.cc is the one list of all of them. Reference kernels stand in
// backend/reference/, under the same file names.
//
// Shapes are logical, outermost first: N C H W for pictures, N L C for tokens. Storage follows one rule:
// values of rank 4 and 5 are stored channels-last (N [T] H W C), all others row-major. So a picture and its
// sequence of pixels are the same bytes, and the innermost stored dimension is always the channels.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "graph/region.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace snug {

enum class Op : uint8_t {
  kConv2d,
  kLinear,
  kGroupNorm,
  kGroupStatistics,
  kGroupNormApply,
  kLayerNorm,
  kRmsNorm,
  kActivation,
  kAdd,
  kAddChannels,
  kAffine,
  kConcat,
  kSlice,
  kUpsampleNearest,
  kEmbedding,
  kAttention,
  kTimestepEmbedding,
  kTokens,
  kImage,
  kReshape,
  kConv3d,
  kModulate,
  kGatedAdd,
  kRotary,
  kDepthToSpace,
  kSpaceToDepth,
  kFirstFrame,
  kCast,
};
inline constexpr int kOpCount = static_cast<int>(Op::kCast) + 1;

// Elementwise functions, alone or fused into what comes before them.
enum class Activation : uint8_t { kNone, kSilu, kGelu, kGeluTanh, kQuickGelu, kRelu, kTanh };
std::string_view activation_name(Activation activation);

// Shape and element type of one operand; `present` is false for an optional input that is left out.
struct Operand {
  DType dtype = DType::kF32;
  Shape shape;
  bool present = true;
  bool is_weight = false;
};

struct Conv2dAttrs {
  int64_t stride = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  Activation activation = Activation::kNone;
  bool operator==(const Conv2dAttrs&) const = default;
};
struct LinearAttrs {
  Activation activation = Activation::kNone;  // of the gate where there is one
  bool gated = false;
  bool operator==(const LinearAttrs&) const = default;
};
struct GroupNormAttrs {
  int64_t groups = 1;
  float epsilon = 1e-5F;
  Activation activation = Activation::kNone;
  bool operator==(const GroupNormAttrs&) const = default;
};
struct GroupStatisticsAttrs {
  int64_t groups = 1;
  bool operator==(const GroupStatisticsAttrs&) const = default;
};
struct LayerNormAttrs {
  float epsilon = 1e-5F;
  bool operator==(const LayerNormAttrs&) const = default;
};
struct RmsNormAttrs {
  float epsilon = 1e-6F;
  bool operator==(const RmsNormAttrs&) const = default;
};
struct ActivationAttrs {
  Activation activation = Activation::kSilu;
  bool operator==(const ActivationAttrs&) const = default;
};
struct AffineAttrs {  // scale * x + offset
  float scale = 1, offset = 0;
  bool operator==(const AffineAttrs&) const = default;
};
struct ConcatAttrs {
  int axis = 1;
  bool operator==(const ConcatAttrs&) const = default;
};
struct SliceAttrs {
  int axis = 0;
  int64_t begin = 0, length = 0;
  bool operator==(const SliceAttrs&) const = default;
};
struct AttentionAttrs {
  int64_t heads = 1;
  float scale = 1;  // of q·k, before the softmax
  bool causal = false;
  // Tokens in groups of so many, each of which sees itself alone; 0: all are one.
  int64_t window = 0;
  bool operator==(const AttentionAttrs&) const = default;
};
struct TimestepEmbeddingAttrs {
  int64_t channels = 0;
  bool cosines_first = true;  // diffusers' flip_sin_to_cos
  float frequency_shift = 0;  // diffusers' freq_shift
  bool operator==(const TimestepEmbeddingAttrs&) const = default;
};
struct TargetShapeAttrs {  // upsample_nearest, image and reshape state the shape that comes out
  Shape shape;
  bool operator==(const TargetShapeAttrs&) const = default;
};
// Time is padded with zeros in front only: a frame sees no later ones.
struct Conv3dAttrs {
  int64_t stride = 1, time_stride = 1;
  int64_t pad_front = 0, pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t unseen_frames = 0;  // so many at the beginning are read as zeros
  Activation activation = Activation::kNone;
  bool operator==(const Conv3dAttrs&) const = default;
};
// Rows of what a timestep says, each of the channels' width: of the time operand, row `index` begins at that
// many times its width over the number of rows in the table, or at 0 where it has one row for all.
struct ModulateAttrs {
  int64_t shift = 0, scale = 1;  // rows of the table
  int64_t first_tokens = 0;      // so many take the first time instead
  float epsilon = 1e-6F;
  bool operator==(const ModulateAttrs&) const = default;
};
struct GatedAddAttrs {
  int64_t gate = 0;  // row of the table
  int64_t first_tokens = 0;
  bool operator==(const GatedAddAttrs&) const = default;
};
struct RotaryAttrs {
  int64_t heads = 1;
  int64_t frames = 1, height = 1, width = 1;  // of the tokens' places
  float theta = 10000;
  bool operator==(const RotaryAttrs&) const = default;
};
// Blocks of frames × rows × columns that channels stand for, or that become channels. Of the element (time,
// row, column) of a block and channel c of the tensor with fewer, channel (c channel + time time + row row +
// column column) / group of the other.
struct BlockAttrs {
  int64_t frames = 1, side = 1;  // of a block
  int64_t channel = 1, time = 0, row = 0, column = 0;
  int64_t group = 1;
  int64_t front = 0;  // frames at the beginning that are dropped, or of zeros that are put before
  bool operator==(const BlockAttrs&) const = default;
};
struct CastAttrs {
  DType dtype = DType::kF32;
  bool operator==(const CastAttrs&) const = default;
};

using Attrs = std::variant<std::monostate, Conv2dAttrs, LinearAttrs, GroupNormAttrs, GroupStatisticsAttrs,
                           LayerNormAttrs, RmsNormAttrs, ActivationAttrs, AffineAttrs, ConcatAttrs,
                           SliceAttrs, AttentionAttrs, TimestepEmbeddingAttrs, TargetShapeAttrs, Conv3dAttrs,
                           ModulateAttrs, GatedAddAttrs, RotaryAttrs, BlockAttrs, CastAttrs>;

// Nominal work of one node: what the definition needs, whatever kernel runs it. Multiply and add count as
// two. Bytes are each operand once, weights in the given element type.
struct Cost {
  double flops = 0;
  double bytes = 0;
};

// One row of the list.
struct OpInfo {
  Op op;
  std::string_view name;
  // Which inputs there are, for printing and verifying; a trailing '?' marks an optional one, a trailing
  // '*' any number of them.
  std::string_view inputs;
  // Shape and element type of the output. Throws shape_mismatch when the operands do not fit.
  Operand (*infer)(const Attrs& attrs, std::span<const Operand> inputs);
  double (*flops)(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output);
  std::string (*describe)(const Attrs& attrs);  // "stride=2 pad=0,0,1,1"; empty when there is nothing to say
  // True where the output is the first input's bytes under another shape: no kernel runs.
  bool is_view;
  // The part of input `input` that computing the part `out` of the output reads; of weights, the rows. The
  // default (null) is all of it.
  Region (*needs)(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output, size_t input,
                  const Region& out) = nullptr;
  // Parts of the output begin and end at multiples of this many pixels (a picture's row for what slides over
  // rows). Null: 1.
  int64_t (*step)(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output) = nullptr;
};

// The rules above with their defaults filled in. `input` is present.
Region input_region(Op op, const Attrs& attrs, std::span<const Operand> inputs, const Operand& output,
                    size_t input, const Region& out);
int64_t pixel_step(Op op, const Attrs& attrs, std::span<const Operand> inputs, const Operand& output);

const OpInfo& op_info(Op op);
Cost op_cost(Op op, const Attrs& attrs, std::span<const Operand> inputs, const Operand& output);

}  // namespace snug
