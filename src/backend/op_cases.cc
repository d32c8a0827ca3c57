#include "backend/op_cases.h"

#include <cmath>

#include <fmt/format.h>

namespace snug {
namespace {

using Cases = std::vector<OpCase>;

Operand computed(Shape shape, DType dtype = DType::kF32) { return {dtype, shape, true, false}; }
Operand weight(Shape shape, DType dtype = DType::kF32) { return {dtype, shape, true, true}; }
Operand absent() { return {DType::kF32, Shape{}, false, false}; }

struct Extras {
  bool bias = true;
  bool residual = false;
  Activation activation = Activation::kNone;
  DType weights = DType::kF32;  // in the file
  bool gate_bias = true;        // of gated linears
};

// Quantised files keep their biases in F32.
Operand bias_of(int64_t channels, DType weights) {
  const bool quantised = weights != DType::kF16 && weights != DType::kBF16;
  return weight({channels}, quantised ? DType::kF32 : weights);
}

void add_conv(Cases& cases, const std::string& name, Shape x, int64_t out, int64_t kernel, Conv2dAttrs attrs,
              Extras extras = {}) {
  attrs.activation = extras.activation;
  std::vector<Operand> operands = {computed(x), weight({out, x[1], kernel, kernel}, extras.weights), absent(),
                                   absent()};
  if (extras.bias) operands[2] = bias_of(out, extras.weights);
  if (extras.residual) operands[3] = computed(op_info(Op::kConv2d).infer(attrs, operands).shape);
  cases.push_back({"conv2d/" + name, make_node(Op::kConv2d, attrs, operands)});
}

Conv2dAttrs padded(int64_t pad, int64_t stride = 1) {
  return {stride, pad, pad, pad, pad, Activation::kNone};
}

void add_convs(Cases& cases) {
  const Conv2dAttrs end_only = {2, 0, 0, 1, 1, Activation::kNone};
  add_conv(cases, "1x1", {1, 5, 7, 9}, 11, 1, padded(0));
  add_conv(cases, "1x1_320", {2, 320, 8, 8}, 64, 1, padded(0), {.bias = true, .residual = true});
  add_conv(cases, "1x1_no_bias", {3, 16, 5, 3}, 32, 1, padded(0), {.bias = false});
  add_conv(cases, "3x3_odd", {1, 3, 7, 5}, 13, 3, padded(1));
  add_conv(cases, "3x3_one_pixel", {2, 8, 1, 1}, 8, 3, padded(1));
  add_conv(cases, "3x3_latents_in", {2, 4, 16, 24}, 32, 3, padded(1));
  add_conv(cases, "3x3_latents_out", {2, 32, 16, 24}, 4, 3, padded(1));
  add_conv(cases, "3x3_picture_out", {1, 16, 17, 19}, 3, 3, padded(1));
  add_conv(cases, "3x3_320", {2, 320, 8, 8}, 64, 3, padded(1));
  add_conv(cases, "3x3_residual", {2, 32, 12, 10}, 32, 3, padded(1), {.bias = true, .residual = true});
  add_conv(cases, "3x3_silu", {1, 24, 9, 11}, 40, 3, padded(1),
           {.bias = true, .activation = Activation::kSilu});
  add_conv(cases, "3x3_relu_residual", {1, 64, 10, 6}, 64, 3, padded(1),
           {.bias = true, .residual = true, .activation = Activation::kRelu});
  add_conv(cases, "3x3_no_bias_relu", {1, 64, 6, 6}, 64, 3, padded(1),
           {.bias = false, .activation = Activation::kRelu});
  add_conv(cases, "3x3_s2", {2, 32, 16, 12}, 32, 3, padded(1, 2));
  add_conv(cases, "3x3_s2_odd", {1, 10, 13, 15}, 20, 3, padded(1, 2));
  add_conv(cases, "3x3_s2_end_padding", {1, 16, 12, 16}, 16, 3, end_only);
  add_conv(cases, "3x3_s2_end_padding_odd", {3, 6, 11, 7}, 5, 3, end_only);
  add_conv(cases, "3x3_valid", {1, 8, 9, 9}, 8, 3, padded(0));
  add_conv(cases, "3x3_f16", {2, 48, 11, 13}, 70, 3, padded(1),
           {.bias = true, .residual = true, .weights = DType::kF16});
  add_conv(cases, "3x3_s2_bf16", {1, 33, 12, 10}, 96, 3, padded(1, 2),
           {.bias = true, .weights = DType::kBF16});
  add_conv(cases, "1x1_f16", {2, 40, 9, 7}, 130, 1, padded(0), {.bias = false, .weights = DType::kF16});
  add_conv(cases, "3x3_quantised", {1, 32, 6, 5}, 16, 3, padded(1), {.bias = true, .weights = DType::kQ8_0});
}

void add_linear(Cases& cases, const std::string& name, Shape x, int64_t out, Extras extras = {}) {
  const LinearAttrs attrs = {extras.activation};
  std::vector<Operand> operands = {computed(x), weight({out, x[-1]}, extras.weights), absent(), absent()};
  if (extras.bias) operands[2] = bias_of(out, extras.weights);
  if (extras.residual) operands[3] = computed(op_info(Op::kLinear).infer(attrs, operands).shape);
  cases.push_back({"linear/" + name, make_node(Op::kLinear, attrs, operands)});
}

// The gate's weights may be of another type than the others.
void add_gated_linear(Cases& cases, const std::string& name, Shape x, int64_t out, Activation activation,
                      Extras extras = {}, DType gate_weights = DType::kF32) {
  std::vector<Operand> operands = {computed(x), weight({out, x[-1]}, extras.weights), absent(),
                                   absent(),    weight({out, x[-1]}, gate_weights),   absent()};
  if (extras.bias) operands[2] = bias_of(out, extras.weights);
  if (extras.gate_bias) operands[5] = bias_of(out, gate_weights);
  cases.push_back({"linear/gated_" + name, make_node(Op::kLinear, LinearAttrs{activation, true}, operands)});
}

void add_gated_linears(Cases& cases) {
  add_gated_linear(cases, "one", {1, 1}, 1, Activation::kGelu);
  add_gated_linear(cases, "odd", {3, 7, 13}, 5, Activation::kGelu);
  add_gated_linear(cases, "one_row", {1, 320}, 200, Activation::kSilu, {.weights = DType::kF16}, DType::kF16);
  add_gated_linear(cases, "geglu", {1, 40, 320}, 1280, Activation::kGelu, {.weights = DType::kF16},
                   DType::kF16);
  add_gated_linear(cases, "blocks", {2, 45, 900}, 100, Activation::kGelu, {.weights = DType::kBF16},
                   DType::kBF16);
  add_gated_linear(cases, "t5", {1, 77, 130}, 330, Activation::kGeluTanh,
                   {.bias = false, .weights = DType::kBF16, .gate_bias = false}, DType::kBF16);
  add_gated_linear(cases, "bilinear_mixed", {2, 33, 70}, 65, Activation::kNone,
                   {.bias = false, .weights = DType::kF16}, DType::kF32);
  add_gated_linear(cases, "gate_without_bias", {50, 64}, 48, Activation::kTanh, {.gate_bias = false},
                   DType::kBF16);
  add_gated_linear(cases, "quantised", {1, 9, 64}, 48, Activation::kGelu, {.weights = DType::kQ8_0},
                   DType::kQ8_0);
}

void add_linears(Cases& cases) {
  add_linear(cases, "odd", {3, 7, 13}, 5);
  add_linear(cases, "one_row", {1, 320}, 1280, {.bias = true, .activation = Activation::kSilu});
  add_linear(cases, "two_rows", {2, 129}, 65);
  add_linear(cases, "one_output", {2, 9, 64}, 1);
  add_linear(cases, "to_q", {2, 64, 320}, 320, {.bias = false});
  add_linear(cases, "to_k_context", {2, 77, 768}, 320, {.bias = false});
  add_linear(cases, "to_out", {2, 64, 320}, 320, {.bias = true, .residual = true});
  add_linear(cases, "wide", {1, 40, 320}, 2560);
  add_linear(cases, "ff_out_no_bias", {2, 24, 96}, 24, {.bias = false, .residual = true});
  add_linear(cases, "quick_gelu", {2, 77, 64}, 256, {.bias = true, .activation = Activation::kQuickGelu});
  add_linear(cases, "gelu", {1, 77, 64}, 128, {.bias = true, .activation = Activation::kGelu});
  add_linear(cases, "gelu_tanh_residual", {1, 5, 48}, 33,
             {.bias = true, .residual = true, .activation = Activation::kGeluTanh});
  add_linear(cases, "to_q_f16", {2, 70, 320}, 330, {.bias = true, .residual = true, .weights = DType::kF16});
  add_linear(cases, "bf16_weights", {1, 9, 77}, 200, {.bias = false, .weights = DType::kBF16});
  add_linear(cases, "quantised", {1, 9, 64}, 48, {.bias = true, .weights = DType::kQ8_0});
}

// The whole norm, and the two operations that split_group_norm.cc makes of it.
void add_group_norm(Cases& cases, const std::string& name, Shape x, int64_t groups,
                    Activation activation = Activation::kNone, int64_t channel_add_images = 0) {
  const GroupNormAttrs attrs = {groups, 1e-5F, activation};
  const Operand channel_add = channel_add_images == 0 ? absent() : computed({channel_add_images, x[1]});
  const Operand gamma = weight({x[1]}, DType::kF16), beta = weight({x[1]});
  cases.push_back(
      {"group_norm/" + name, make_node(Op::kGroupNorm, attrs, {computed(x), gamma, beta, channel_add})});
  const NodeSpec statistics =
      make_node(Op::kGroupStatistics, GroupStatisticsAttrs{groups}, {computed(x), channel_add});
  cases.push_back({"group_statistics/" + name, statistics});
  cases.push_back({"group_norm_apply/" + name,
                   make_node(Op::kGroupNormApply, attrs,
                             {computed(x), computed(statistics.output.shape), gamma, beta, channel_add})});
}

void add_norms(Cases& cases) {
  add_group_norm(cases, "320_silu", {2, 320, 8, 8}, 32, Activation::kSilu);
  add_group_norm(cases, "320_blocks", {2, 320, 20, 13}, 32);
  add_group_norm(cases, "channel_add", {2, 64, 9, 7}, 32, Activation::kSilu, 2);
  add_group_norm(cases, "channel_add_shared", {3, 64, 4, 5}, 8, Activation::kNone, 1);
  add_group_norm(cases, "odd_channels", {1, 21, 33, 31}, 7, Activation::kSilu);
  add_group_norm(cases, "one_group", {1, 24, 16, 24}, 1);
  add_group_norm(cases, "wide", {1, 2560, 4, 4}, 32, Activation::kSilu, 1);
  add_group_norm(cases, "vae", {1, 128, 32, 40}, 32, Activation::kSilu);
  add_group_norm(cases, "rows_in_pieces", {1, 1408, 5, 30}, 32, Activation::kSilu);
  add_group_norm(cases, "blocks_of_rows", {2, 40, 37, 11}, 8, Activation::kSilu, 2);
  add_group_norm(cases, "one_pixel", {2, 32, 1, 1}, 8, Activation::kRelu);
  const auto add_layer_norm = [&](const std::string& name, Shape x, bool gamma, bool beta) {
    const Shape channels = {x[-1]};
    cases.push_back({"layer_norm/" + name, make_node(Op::kLayerNorm, LayerNormAttrs{1e-5F},
                                                     {computed(x), gamma ? weight(channels) : absent(),
                                                      beta ? weight(channels) : absent()})});
  };
  add_layer_norm("320", {2, 64, 320}, true, true);
  add_layer_norm("768", {2, 77, 768}, true, true);
  add_layer_norm("odd", {1, 5, 37}, true, true);
  add_layer_norm("narrow", {3, 2, 5}, true, false);
  add_layer_norm("plain", {4, 1280}, false, false);
  const auto add_rms_norm = [&](const std::string& name, Shape x, Operand gamma) {
    cases.push_back(
        {"rms_norm/" + name, make_node(Op::kRmsNorm, RmsNormAttrs{1e-6F}, {computed(x), std::move(gamma)})});
  };
  add_rms_norm("1536", {1, 40, 1536}, weight({1536}));
  add_rms_norm("t5_bf16", {1, 77, 768}, weight({768}, DType::kBF16));
  add_rms_norm("odd", {2, 5, 37}, weight({37}));
  add_rms_norm("narrow", {3, 2, 5}, absent());
  add_rms_norm("rows", {4, 130}, weight({130}));
  add_rms_norm("picture", {2, 96, 5, 7}, weight({96, 1, 1}));
  add_rms_norm("clip", {1, 33, 3, 4, 5}, weight({33, 1, 1, 1}));
}

void add_elementwise(Cases& cases) {
  for (const Activation a : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh,
                             Activation::kQuickGelu, Activation::kRelu, Activation::kTanh}) {
    cases.push_back({fmt::format("activation/{}", activation_name(a)),
                     make_node(Op::kActivation, ActivationAttrs{a}, {computed({2, 3, 17, 5})})});
  }
  cases.push_back(
      {"activation/large", make_node(Op::kActivation, ActivationAttrs{}, {computed({3, 20011})})});
  cases.push_back(
      {"add/same", make_node(Op::kAdd, {}, {computed({2, 40, 9, 11}), computed({2, 40, 9, 11})})});
  cases.push_back({"add/positions", make_node(Op::kAdd, {}, {computed({3, 77, 65}), weight({77, 65})})});
  cases.push_back({"add/last", make_node(Op::kAdd, {}, {computed({3, 7, 33}), computed({33})})});
  cases.push_back(
      {"add_channels/each", make_node(Op::kAddChannels, {}, {computed({2, 37, 5, 6}), computed({2, 37})})});
  cases.push_back(
      {"add_channels/shared", make_node(Op::kAddChannels, {}, {computed({2, 64, 8, 8}), computed({1, 64})})});
  cases.push_back(
      {"affine/picture", make_node(Op::kAffine, AffineAttrs{0.5F, 0.5F}, {computed({1, 3, 13, 11})})});
  cases.push_back({"cast/to_bf16", make_node(Op::kCast, CastAttrs{DType::kBF16}, {computed({2, 5, 131})})});
  cases.push_back(
      {"cast/to_f32", make_node(Op::kCast, CastAttrs{DType::kF32}, {computed({2, 5, 131}, DType::kBF16)})});
}

void add_movement(Cases& cases) {
  const auto concat = [&](const std::string& name, int axis, std::vector<Operand> parts) {
    cases.push_back({"concat/" + name, make_node(Op::kConcat, ConcatAttrs{axis}, std::move(parts))});
  };
  concat("channels", 1, {computed({2, 32, 6, 5}), computed({2, 13, 6, 5}), computed({2, 1, 6, 5})});
  concat("images", 0, {computed({1, 4, 9, 7}), computed({2, 4, 9, 7})});
  concat("rows", 2, {computed({2, 3, 4, 5}), computed({2, 3, 1, 5})});
  concat("tokens", 1, {computed({2, 77, 48}), computed({2, 3, 48})});
  const auto slice = [&](const std::string& name, SliceAttrs attrs, const Shape& x) {
    cases.push_back({"slice/" + name, make_node(Op::kSlice, attrs, {computed(x)})});
  };
  slice("channels", {1, 3, 4}, {2, 8, 5, 3});
  slice("images", {0, 1, 1}, {3, 4, 33, 35});
  slice("columns", {3, 2, 3}, {1, 6, 4, 7});
  slice("features", {2, 5, 7}, {2, 9, 20});
  const auto upsample = [&](const std::string& name, const Shape& x, const Shape& out) {
    cases.push_back(
        {"upsample_nearest/" + name, make_node(Op::kUpsampleNearest, TargetShapeAttrs{out}, {computed(x)})});
  };
  upsample("double", {2, 40, 6, 8}, {2, 40, 12, 16});
  upsample("to_odd", {1, 3, 5, 7}, {1, 3, 9, 13});
  upsample("same", {1, 8, 3, 3}, {1, 8, 3, 3});
  const auto embedding = [&](const std::string& name, DType dtype) {
    cases.push_back(
        {"embedding/" + name,
         make_node(Op::kEmbedding, {}, {computed({2, 77}, DType::kI32), weight({101, 37}, dtype)})});
  };
  embedding("f32", DType::kF32);
  embedding("f16", DType::kF16);
  embedding("bf16", DType::kBF16);
  cases.push_back({"timestep_embedding/320",
                   make_node(Op::kTimestepEmbedding, TimestepEmbeddingAttrs{320, true, 0}, {computed({2})})});
  cases.push_back({"timestep_embedding/odd",
                   make_node(Op::kTimestepEmbedding, TimestepEmbeddingAttrs{21, false, 1}, {computed({3})})});
}

void add_conv3d(Cases& cases, const std::string& name, Shape x, int64_t out, const Shape& window,
                Conv3dAttrs attrs, Extras extras = {}) {
  attrs.activation = extras.activation;
  std::vector<Operand> operands = {
      computed(x), weight({out, x[1], window[0], window[1], window[1]}, extras.weights), absent(), absent()};
  if (extras.bias) operands[2] = bias_of(out, extras.weights);
  if (extras.residual) operands[3] = computed(op_info(Op::kConv3d).infer(attrs, operands).shape);
  cases.push_back({"conv3d/" + name, make_node(Op::kConv3d, attrs, operands)});
}

Conv3dAttrs causal(int64_t front, int64_t pad, int64_t stride = 1, int64_t time_stride = 1) {
  Conv3dAttrs attrs;
  attrs.stride = stride;
  attrs.time_stride = time_stride;
  attrs.pad_front = front;
  attrs.pad_top = attrs.pad_left = attrs.pad_bottom = attrs.pad_right = pad;
  return attrs;
}

void add_clips(Cases& cases) {
  add_conv3d(cases, "causal", {1, 16, 5, 6, 7}, 24, {3, 3}, causal(2, 1));
  add_conv3d(cases, "residual_f16", {2, 33, 3, 5, 4}, 20, {3, 3}, causal(2, 1),
             {.bias = true, .residual = true, .weights = DType::kF16});
  add_conv3d(cases, "larger", {1, 40, 4, 16, 13}, 48, {3, 3}, causal(2, 1),
             {.bias = true, .residual = true, .weights = DType::kF16});
  add_conv3d(cases, "larger_of_odd_rows", {2, 32, 3, 18, 16}, 32, {3, 3}, causal(2, 1),
             {.activation = Activation::kSilu});
  add_conv3d(cases, "frames", {1, 20, 3, 8, 6}, 13, {1, 3}, causal(0, 1), {.activation = Activation::kSilu});
  Conv3dAttrs down = causal(0, 0, 2);
  down.pad_bottom = down.pad_right = 1;
  add_conv3d(cases, "half_the_size", {1, 16, 3, 8, 6}, 16, {1, 3}, down);
  add_conv3d(cases, "patches", {1, 16, 3, 6, 8}, 40, {1, 2}, causal(0, 0, 2));
  Conv3dAttrs time = causal(2, 0);
  time.unseen_frames = 1;
  add_conv3d(cases, "time_unseen", {1, 24, 4, 3, 5}, 48, {3, 1}, time);
  add_conv3d(cases, "half_the_frames", {1, 24, 5, 3, 5}, 24, {3, 1}, causal(2, 0, 1, 2));
  add_conv3d(cases, "one_frame", {1, 8, 1, 1, 1}, 8, {3, 3}, causal(2, 1), {.bias = false});
  const auto blocks = [&](Op op, const std::string& name, const BlockAttrs& attrs, const Shape& x) {
    cases.push_back({std::string(op_info(op).name) + "/" + name, make_node(op, attrs, {computed(x)})});
  };
  blocks(Op::kDepthToSpace, "double", {1, 2, 1, 0, 0, 0, 1, 0}, {2, 9, 3, 4, 5});
  blocks(Op::kDepthToSpace, "frames", {2, 1, 1, 12, 0, 0, 1, 1}, {1, 24, 4, 3, 5});
  blocks(Op::kDepthToSpace, "pixels", {1, 2, 4, 0, 1, 2, 1, 0}, {1, 12, 3, 4, 5});
  blocks(Op::kDepthToSpace, "patches", {1, 2, 1, 0, 32, 16, 1, 0}, {2, 64, 2, 3, 4});
  blocks(Op::kDepthToSpace, "repeated", {2, 2, 8, 4, 2, 1, 4, 1}, {1, 12, 3, 3, 4});
  blocks(Op::kSpaceToDepth, "pixels", {1, 2, 4, 0, 1, 2, 1, 0}, {1, 3, 3, 8, 10});
  blocks(Op::kSpaceToDepth, "means", {2, 2, 8, 4, 2, 1, 4, 1}, {1, 6, 5, 4, 6});
  blocks(Op::kSpaceToDepth, "means_of_frames", {1, 2, 4, 0, 2, 1, 2, 0}, {2, 5, 3, 4, 6});
  cases.push_back({"first_frame/later",
                   make_node(Op::kFirstFrame, {}, {computed({1, 7, 5, 3, 4}), computed({1, 7, 3, 3, 4})})});
  cases.push_back({"first_frame/earlier",
                   make_node(Op::kFirstFrame, {}, {computed({1, 7, 3, 3, 4}), computed({1, 7, 5, 3, 4})})});
}

void add_diffusion_transformer(Cases& cases) {
  const auto rows = [&](const std::string& name, const Shape& x, int64_t of_time, int64_t of_table,
                        int64_t first) {
    const int64_t c = x[2];
    const Operand first_time = first > 0 ? computed({1, of_time * c}) : absent();
    const Operand table = weight({of_table * c}, DType::kF32);
    cases.push_back(
        {"modulate/" + name, make_node(Op::kModulate, ModulateAttrs{0, 1, first, 1e-6F},
                                       {computed(x), computed({1, of_time * c}), table, first_time})});
    cases.push_back({"gated_add/" + name,
                     make_node(Op::kGatedAdd, GatedAddAttrs{of_table - 1, first},
                               {computed(x), computed(x), computed({1, of_time * c}), table, first_time})});
  };
  rows("block", {2, 30, 64}, 6, 6, 0);
  rows("first", {1, 24, 37}, 6, 6, 7);
  rows("one_row", {1, 9, 48}, 1, 2, 0);
  const auto rotary = [&](const std::string& name, int64_t images, int64_t heads, int64_t width,
                          RotaryAttrs attrs) {
    attrs.heads = heads;
    cases.push_back(
        {"rotary/" + name,
         make_node(Op::kRotary, attrs,
                   {computed({images, attrs.frames * attrs.height * attrs.width, heads * width})})});
  };
  rotary("wan", 2, 2, 128, {1, 3, 4, 5, 10000});
  rotary("narrow", 1, 3, 8, {1, 2, 3, 2, 10000});
}

void add_attentions(Cases& cases) {
  const auto attention = [&](const std::string& name, int64_t images, int64_t queries, int64_t keys,
                             int64_t heads, int64_t width, bool causal = false) {
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(width)));
    cases.push_back({"attention/" + name, make_node(Op::kAttention, AttentionAttrs{heads, scale, causal},
                                                    {computed({images, queries, heads * width}),
                                                     computed({images, keys, heads * width}),
                                                     computed({images, keys, heads * width})})});
  };
  for (const int64_t width : {32, 40, 64, 80, 128, 160}) {
    attention(fmt::format("self_{}", width), 2, 150, 150, 2, width);
  }
  attention("cross_77", 2, 96, 77, 8, 40);
  attention("cross_154", 1, 64, 154, 5, 64);
  attention("causal", 2, 77, 77, 12, 64, true);
  attention("causal_long", 1, 231, 231, 2, 32, true);
  attention("one_head_512", 1, 48, 48, 1, 512);
  attention("many_keys", 1, 20, 1500, 1, 40);
  attention("odd", 3, 7, 13, 3, 5);
  attention("one_key", 2, 3, 1, 2, 16);
  cases.push_back({"attention/frames",
                   make_node(Op::kAttention, AttentionAttrs{1, 0.2F, false, 35},
                             {computed({1, 105, 24}), computed({1, 105, 24}), computed({1, 105, 24})})});
  const auto biased = [&](const std::string& name, int64_t images, int64_t queries, int64_t keys,
                          int64_t heads, int64_t width, int64_t value_width, bool causal = false) {
    cases.push_back(
        {"attention/biased_" + name,
         make_node(
             Op::kAttention, AttentionAttrs{heads, 0.25F, causal},
             {computed({images, queries, heads * width}), computed({images, keys, heads * width}),
              computed({images, keys, heads * value_width}), computed({1, queries + keys - 1, heads})})});
  };
  biased("t5", 1, 100, 100, 6, 64, 64);
  biased("long", 1, 259, 259, 2, 32, 32);
  biased("odd", 3, 7, 13, 3, 5, 21);
  biased("one_token", 2, 1, 1, 4, 16, 16);
  biased("causal", 1, 19, 19, 2, 8, 8, true);
}

}  // namespace

NodeSpec make_node(Op op, Attrs attrs, std::vector<Operand> operands) {
  NodeSpec node = {op, std::move(attrs), std::move(operands), {}};
  node.output = op_info(op).infer(node.attrs, node.operands);
  return node;
}

NodeSpec with_activations(const NodeSpec& node, DType dtype) {
  NodeSpec changed = node;
  if (node.op != Op::kCast && node.op != Op::kTimestepEmbedding) {
    for (Operand& operand : changed.operands) {
      const auto index = static_cast<size_t>(&operand - changed.operands.data());
      const bool stays = (node.op == Op::kGroupNormApply && index == 1) ||  // statistics
                         (node.op == Op::kModulate && index >= 1) || (node.op == Op::kGatedAdd && index >= 2);
      if (!operand.is_weight && operand.dtype == DType::kF32 && !stays) operand.dtype = dtype;
    }
  }
  changed.output = op_info(node.op).infer(changed.attrs, changed.operands);
  return changed;
}

std::vector<OpCase> op_cases() {
  Cases cases;
  add_convs(cases);
  add_linears(cases);
  add_gated_linears(cases);
  add_norms(cases);
  add_elementwise(cases);
  add_movement(cases);
  add_attentions(cases);
  add_clips(cases);
  add_diffusion_transformer(cases);
  return cases;
}

}  // namespace snug
