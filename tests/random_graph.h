// Random graphs in the style of the models': pictures, tokens and rows that convolutions, norms, attention
// and sums turn into each other, with residuals, repeated and unused nodes, shared weights, views, and inputs
// of every variability. The same seed gives the same graph. With the values of its weights and inputs, and
// the phases that hoisting makes of it. For tests of passes, planner and executor.
#pragma once

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/passes/hoist.h"
#include "plan/planner.h"
#include "tensor/convert.h"
#include "tensor/host_tensor.h"

namespace snug::testing {

class RandomGraph {
 public:
  // `images`: the batch; 0: 1 to 3, and then weights too may have an extent for images.
  RandomGraph(uint32_t seed, int nodes, int64_t most_channels, int64_t longest_edge, int64_t images = 0)
      : random_(seed),
        most_channels_(most_channels),
        weights_per_image_(images == 0),
        graph_("random " + std::to_string(seed)) {
    batch_ = images == 0 ? pick(1, 3) : images;
    const Shape latents{batch_, 2 * pick(2, most_channels / 2), pick(2, longest_edge), pick(2, longest_edge)};
    pictures_.push_back(graph_.add_input("latents", DType::kF32, latents, Variability::kLatents));
    const Shape context{batch_, pick(2, 2 * longest_edge), 2 * pick(1, most_channels / 2)};
    tokens_.push_back(graph_.add_input("conditioning", DType::kF32, context, Variability::kRequest));
    const ValueId ids =
        graph_.add_input("ids", DType::kI32, Shape{batch_, pick(1, longest_edge)}, Variability::kRequest);
    const ValueId table = weight("table", Shape{kVocabulary, 2 * pick(1, most_channels / 2)});
    tokens_.push_back(add(Op::kEmbedding, std::monostate{}, {ids, table}));
    const ValueId timestep = graph_.add_input("timestep", DType::kF32, Shape{1}, Variability::kTimestep);
    rows_.push_back(add(Op::kTimestepEmbedding, TimestepEmbeddingAttrs{2 * pick(1, 12)}, {timestep}));
    while (static_cast<int>(graph_.nodes().size()) < nodes) grow();
    finish();
  }

  const Graph& graph() const { return graph_; }
  static constexpr int64_t kVocabulary = 11;

 private:
  using Pool = std::vector<ValueId>;

  int64_t pick(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, std::max(least, most))(random_);
  }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  // Mostly what was made lately, so that graphs grow deep; sometimes anything, so that values live long.
  ValueId any(const Pool& pool) {
    const auto last = static_cast<int64_t>(pool.size()) - 1;
    return pool[static_cast<size_t>(chance(70) ? pick(std::max<int64_t>(0, last - 2), last) : pick(0, last))];
  }
  const Shape& shape(ValueId id) const { return graph_.value(id).shape; }

  ValueId weight(const std::string& kind, const Shape& s) {
    // Now and then one that is there already.
    for (size_t i = 0; chance(15) && i < graph_.values().size(); ++i) {
      const Value& value = graph_.values()[i];
      const std::string end = "." + kind;
      if (value.kind == ValueKind::kWeight && value.shape == s && value.name.ends_with(end))
        return static_cast<ValueId>(i);
    }
    constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kBF16};
    return graph_.add_weight(std::to_string(graph_.values().size()) + "." + kind, kTypes[pick(0, 2)], s);
  }

  ValueId add(Op op, Attrs attrs, std::vector<ValueId> inputs) {
    const std::string name = std::to_string(graph_.nodes().size()) + "." + std::string(op_info(op).name);
    return graph_.add_node(op, std::move(attrs), std::move(inputs), name);
  }

  ValueId linear(ValueId x, int64_t out) {
    const ValueId matrix = weight("weight", Shape{out, shape(x)[-1]});
    return add(Op::kLinear, LinearAttrs{},
               {x, matrix, chance(70) ? weight("bias", Shape{out}) : kNoValue, kNoValue});
  }

  // Value and gate from one tensor or from two.
  ValueId gated_linear(ValueId x, int64_t out) {
    const bool biased = chance(70);
    const Shape matrix{out, shape(x)[-1]}, row{out};
    Pool inputs = {x, weight("weight", matrix), kNoValue, kNoValue, weight("weight", matrix), kNoValue};
    if (biased) inputs[2] = weight("bias", row), inputs[5] = weight("bias", row);
    if (chance(70)) {
      inputs[4] = rows_behind(inputs[1]);
      if (biased) inputs[5] = rows_behind(inputs[2]);
    }
    return add(Op::kLinear, LinearAttrs{chance(80) ? activation() : Activation::kNone, true}, inputs);
  }

  // As many rows of the same tensor as a weight has, behind those.
  ValueId rows_behind(ValueId id) {
    const Value& first = graph_.value(id);
    return graph_.add_weight(first.name, first.dtype, first.shape, first.first_row + first.shape[0]);
  }

  ValueId conv(ValueId x, int64_t out, int64_t kernel, int64_t stride) {
    const ValueId taps = weight("weight", Shape{out, shape(x)[1], kernel, kernel});
    const int64_t pad = kernel / 2;
    const int64_t begin = stride == 2 && chance(50) ? 0 : pad;
    return add(Op::kConv2d, Conv2dAttrs{stride, begin, begin, pad, pad},
               {x, taps, chance(80) ? weight("bias", Shape{out}) : kNoValue, kNoValue});
  }

  Activation activation() {
    return static_cast<Activation>(pick(1, static_cast<int64_t>(Activation::kTanh)));
  }

  void grow() {
    if (chance(4)) return repeat();
    switch (pick(0, 5)) {
      case 0:
      case 1:
      case 2: return grow_picture();
      case 3: return grow_rows();
      case 4: return grow_tokens();
      default: return attend();
    }
  }

  // The same operation on the same operands again.
  void repeat() {
    const Node node =
        graph_.nodes()[static_cast<size_t>(pick(0, static_cast<int64_t>(graph_.nodes().size()) - 1))];
    const ValueId again = add(node.op, node.attrs, node.inputs);
    const int rank = shape(again).rank();
    (rank == 4 ? pictures_ : rank == 3 ? tokens_ : rows_).push_back(again);
  }

  void grow_picture() {
    const ValueId x = any(pictures_);
    const Shape s = shape(x);
    const bool even = s[1] % 2 == 0;
    ValueId y = x;
    switch (pick(0, 9)) {
      case 0: y = conv(x, 2 * pick(1, most_channels_ / 2), chance(70) ? 3 : 1, 1); break;
      case 1: y = s[2] > 1 && s[3] > 1 ? conv(x, s[1], 3, 2) : conv(x, s[1], 1, 1); break;
      case 2:
        y = add(Op::kAdd, std::monostate{},
                chance(50) ? Pool{conv(x, s[1], 3, 1), x} : Pool{x, conv(x, s[1], 3, 1)});
        break;
      case 3: y = norm(x, even); break;
      case 4:
      case 9: y = resnet(x, even); break;
      case 5: y = add(Op::kActivation, ActivationAttrs{activation()}, {x}); break;
      case 6: y = concat_or_slice(x); break;
      case 7:
        y = s[2] * s[3] <= 30 ? add(Op::kUpsampleNearest,
                                    TargetShapeAttrs{Shape{s[0], s[1], 2 * s[2], s[3] + pick(0, s[3])}}, {x})
                              : add(Op::kAffine, AffineAttrs{0.7F, 0.1F}, {x});
        break;
      default: y = sum_of_equals(x);
    }
    pictures_.push_back(y);
  }

  ValueId norm(ValueId x, bool even) {
    const int64_t channels = shape(x)[1];
    return add(Op::kGroupNorm, GroupNormAttrs{even && chance(60) ? 2 : 1, 1e-3F},
               {x, weight("gamma", Shape{channels}), weight("beta", Shape{channels}), kNoValue});
  }

  // conv, plus a row for each channel, norm, activation, conv, residual.
  ValueId resnet(ValueId x, bool even) {
    const int64_t channels = shape(x)[1];
    const ValueId row = linear(any(rows_), channels);
    ValueId y = conv(x, channels, 3, 1);
    if (shape(row)[0] == 1 || shape(row)[0] == batch_) y = add(Op::kAddChannels, std::monostate{}, {y, row});
    y = add(Op::kActivation, ActivationAttrs{activation()}, {norm(y, even)});
    y = conv(y, channels, 3, 1);
    return add(Op::kAdd, std::monostate{}, {x, y});
  }

  ValueId concat_or_slice(ValueId x) {
    const Shape s = shape(x);
    if (s[1] > 3 && chance(50)) {
      const int64_t length = s[1] / 2;
      return add(Op::kSlice, SliceAttrs{1, pick(0, s[1] - length), length}, {x});
    }
    Pool parts{x};
    for (const ValueId id : pictures_) {
      Shape other = shape(id);
      other.set(1, s[1]);
      if (other == s && parts.size() < 3) parts.push_back(id);
    }
    int64_t channels = 0;
    for (const ValueId id : parts) channels += shape(id)[1];
    const ValueId joined = add(Op::kConcat, ConcatAttrs{1}, parts);
    return channels > 2 * most_channels_ ? conv(joined, s[1], 1, 1) : joined;
  }

  ValueId sum_of_equals(ValueId x) {
    for (const ValueId id : pictures_) {
      if (shape(id) == shape(x) && chance(60))
        return add(Op::kAffine, AffineAttrs{0.6F, 0}, {add(Op::kAdd, std::monostate{}, {id, x})});
    }
    return add(Op::kAffine, AffineAttrs{-1.1F, 0.2F}, {x});
  }

  void grow_rows() {
    const ValueId x = any(rows_);
    ValueId y = linear(x, pick(1, most_channels_));
    if (chance(10)) y = gated_linear(x, shape(y)[-1]);
    if (chance(40)) y = add(Op::kActivation, ActivationAttrs{activation()}, {y});
    if (chance(20)) y = add(Op::kAdd, std::monostate{}, {y, weight("bias", Shape{shape(y)[-1]})});
    const ValueId other = any(rows_);
    if (chance(20) && shape(other)[0] == shape(y)[0])
      y = add(Op::kAdd, std::monostate{}, {linear(other, shape(y)[-1]), y});
    rows_.push_back(y);
    if (chance(15)) {  // rows of a picture of the conditioning
      const ValueId t = any(tokens_);
      rows_.push_back(
          add(Op::kReshape, TargetShapeAttrs{Shape{shape(t)[0], shape(t)[1] * shape(t)[2]}}, {t}));
    }
  }

  void grow_tokens() {
    const ValueId x = any(tokens_);
    const int64_t channels = shape(x)[2];
    ValueId y = x;
    switch (pick(0, 7)) {
      case 0: y = linear(x, 2 * pick(1, most_channels_ / 2)); break;
      case 1:
        y = add(
            Op::kLayerNorm, LayerNormAttrs{1e-3F},
            {x, weight("gamma", Shape{channels}), chance(80) ? weight("beta", Shape{channels}) : kNoValue});
        break;
      case 2: y = linear(gated_linear(x, pick(1, 2 * most_channels_)), channels); break;
      case 3: y = add(Op::kAdd, std::monostate{}, {x, weight("beta", Shape{shape(x)[1], channels})}); break;
      case 4: y = add(Op::kActivation, ActivationAttrs{activation()}, {linear(x, channels)}); break;
      case 5: y = add(Op::kTokens, std::monostate{}, {any(pictures_)}); break;
      case 6: y = add(Op::kRmsNorm, RmsNormAttrs{1e-3F}, {x, weight("gamma", Shape{channels})}); break;
      default:
        y = add(Op::kAdd, std::monostate{},
                {linear(x, channels), weights_per_image_ ? weight("beta", shape(x)) : linear(x, channels)});
    }
    tokens_.push_back(y);
  }

  // Attention of a picture's pixels to themselves or to tokens, added to the picture.
  void attend() {
    const ValueId picture = any(pictures_);
    const Shape s = shape(picture);
    const ValueId x = add(Op::kTokens, std::monostate{}, {picture});
    const ValueId context = chance(50) ? x : any(tokens_);
    if (shape(context)[0] != s[0]) return;
    const int64_t heads = pick(1, 2), width = heads * pick(1, 8);
    const ValueId k = linear(context, width), v = linear(context, width);
    AttentionAttrs attrs;
    attrs.heads = heads;
    attrs.scale = 1 / std::sqrt(static_cast<float>(width / heads));
    const ValueId mixed = add(Op::kAttention, attrs, {linear(x, width), k, v});
    const ValueId back = add(Op::kImage, TargetShapeAttrs{s}, {linear(mixed, s[1])});
    pictures_.push_back(add(Op::kAdd, std::monostate{}, {back, picture}));
  }

  // Outputs: the last picture that the latents reach, and sometimes one from the middle.
  void finish() {
    const std::vector<Variability> depends = graph_.variabilities();
    Pool reached;
    for (const ValueId id : pictures_) {
      if (depends[static_cast<size_t>(id)] == Variability::kLatents) reached.push_back(id);
    }
    const ValueId last = add(Op::kAffine, AffineAttrs{0.9F, 0.05F}, {reached.back()});
    output(last, "model_output");
    const ValueId middle = reached[static_cast<size_t>(pick(0, static_cast<int64_t>(reached.size()) - 1))];
    if (chance(40) && graph_.value(middle).kind == ValueKind::kComputed) output(middle, "middle_output");
  }

  void output(ValueId id, const std::string& name) {
    graph_.value(id).name = name;
    graph_.add_output(id);
  }

  std::mt19937 random_;
  int64_t most_channels_;
  bool weights_per_image_;
  int64_t batch_ = 1;
  Graph graph_;
  Pool pictures_, tokens_, rows_;  // values of rank 4, 3 and 2
};

// Values for an input or weight, from its name: equal names get equal values. Of the order of 1, weights of
// products scaled so that their outputs are too.
inline HostTensor made_up_values(const Value& value, uint32_t seed = 0) {
  std::mt19937 random(static_cast<uint32_t>(std::hash<std::string>{}(value.name)) + seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  HostTensor tensor(value.dtype, value.shape);
  const auto elements = static_cast<size_t>(value.shape.elements());
  if (value.dtype == DType::kI32) {
    auto* ids = reinterpret_cast<int32_t*>(tensor.bytes().data());
    for (size_t i = 0; i < elements; ++i) ids[i] = static_cast<int32_t>(random() % RandomGraph::kVocabulary);
    return tensor;
  }
  std::vector<float> floats(elements);
  float scale = 1, offset = 0;
  if (value.name.ends_with(".weight")) {
    scale = std::sqrt(3.0F * static_cast<float>(value.shape[0]) / static_cast<float>(elements));
  } else if (value.kind == ValueKind::kWeight && !value.name.ends_with(".table")) {
    scale = 0.2F;
    offset = value.name.ends_with(".gamma") ? 1.0F : 0.0F;
  }
  for (float& v : floats) v = uniform(random) * scale + offset;
  if (value.name == "timestep") floats[0] = 500 + 499 * floats[0];
  from_f32(value.dtype, floats, tensor.bytes().data());
  return tensor;
}

// Whole tensors, also where the graph has some rows of them.
inline std::map<std::string, HostTensor> made_up_weights(const Graph& graph) {
  std::map<std::string, Value> tensors;
  for (const Value& value : graph.values()) {
    if (value.kind != ValueKind::kWeight) continue;
    Value& tensor = tensors.try_emplace(value.name, value).first->second;
    if (value.shape.rank() > 0) {
      tensor.shape.set(0, std::max(tensor.shape[0], value.first_row + value.shape[0]));
    }
  }
  std::map<std::string, HostTensor> weights;
  for (const auto& [name, tensor] : tensors) weights.emplace(name, made_up_values(tensor));
  return weights;
}

inline std::map<std::string, HostTensor> made_up_inputs(const Graph& graph, uint32_t seed) {
  std::map<std::string, HostTensor> inputs;
  for (const ValueId id : graph.inputs()) {
    const Value& value = graph.value(id);
    // What is fixed for a request is the same in every call.
    inputs.emplace(value.name, made_up_values(value, value.variability == Variability::kRequest ? 0 : seed));
  }
  return inputs;
}

// One phase each of timesteps, prepare and step, linked as pipeline/make_plan.cc links them; all read the
// weights of `part` and run their batch in one pass. Appended to `phases`.
inline void add_hoisted_phases(HoistedGraphs parts, int calls, const std::string& part,
                               std::vector<PhaseRequest>& phases) {
  int timesteps = -1, prepare = -1;
  const auto add = [&](const char* name, Graph graph, int times) {
    phases.push_back({name, "denoise", part, times, {PhaseWay{1, std::move(graph), {}}}});
    return static_cast<int>(phases.size()) - 1;
  };
  if (!parts.timesteps.nodes().empty()) timesteps = add("timesteps", std::move(parts.timesteps), 1);
  if (!parts.request.nodes().empty()) prepare = add("prepare", std::move(parts.request), 1);
  add("step", std::move(parts.step), calls);
  for (const HoistedInput& hoisted : parts.hoisted) {
    phases.back().ways[0].links.push_back({hoisted.step_input, hoisted.from_timesteps ? timesteps : prepare,
                                           hoisted.output_index, hoisted.from_timesteps});
  }
}

}  // namespace snug::testing
