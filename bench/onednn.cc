#include "bench/onednn.h"

#include <cstring>
#include <memory>
#include <unordered_map>

#include <dnnl.hpp>

namespace snug::bench {
namespace {

using Layout = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;
using Arguments = std::unordered_map<int, dnnl::memory>;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::memory made(const Layout& layout) {
  dnnl::memory memory(layout, engine());
  std::memset(memory.get_data_handle(), 0, layout.get_size());  // ordinary numbers in every type
  return memory;
}

Type type_of(const NodeSpec& node) { return node.output.dtype == DType::kBF16 ? Type::bf16 : Type::f32; }

dnnl::memory::dims dims_of(const Shape& shape) {
  dnnl::memory::dims dims;
  for (int i = 0; i < shape.rank(); ++i) dims.push_back(shape[i]);
  return dims;
}

// Primitives that run one after another, as often as asked.
struct Sequence {
  dnnl::stream stream{engine()};
  std::vector<std::pair<dnnl::primitive, Arguments>> steps;
  int times = 1;

  void run() {
    for (int i = 0; i < times; ++i) {
      for (auto& [primitive, arguments] : steps) primitive.execute(stream, arguments);
    }
    stream.wait();
  }
};

std::function<void()> body_of(Sequence sequence) {
  return [shared = std::make_shared<Sequence>(std::move(sequence))] { shared->run(); };
}

template <typename Description>
Arguments operands_of(const Description& description, const Layout& bias) {
  return {{DNNL_ARG_SRC, made(description.src_desc())},
          {DNNL_ARG_WEIGHTS, made(description.weights_desc())},
          {DNNL_ARG_BIAS, made(bias)},
          {DNNL_ARG_DST, made(description.dst_desc())}};
}

Sequence convolution(const NodeSpec& node, bool own_layout) {
  const auto& attrs = std::get<Conv2dAttrs>(node.attrs);
  const Type type = type_of(node);
  const Tag tag = own_layout ? Tag::any : Tag::nhwc;
  const Layout bias(dims_of(node.operands[2].shape), Type::f32, Tag::a);
  const dnnl::convolution_forward::desc desc(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
      {dims_of(node.operands[0].shape), type, tag}, {dims_of(node.operands[1].shape), type, Tag::any}, bias,
      {dims_of(node.output.shape), type, tag}, {attrs.stride, attrs.stride}, {attrs.pad_top, attrs.pad_left},
      {attrs.pad_bottom, attrs.pad_right});
  const dnnl::convolution_forward::primitive_desc description(desc, engine());
  Sequence sequence;
  sequence.steps.emplace_back(dnnl::convolution_forward(description), operands_of(description, bias));
  return sequence;
}

// Of linears, and of 1x1 convolutions of whole pictures. A gated linear's two products as one, without the
// gate.
Sequence product(const NodeSpec& node) {
  const Type type = type_of(node);
  const auto* linear = std::get_if<LinearAttrs>(&node.attrs);
  const int64_t products = linear != nullptr && linear->gated ? 2 : 1;
  const int64_t inputs = node.operands[1].shape[1], outputs = products * node.operands[1].shape[0];
  const int64_t rows = node.operands[0].shape.elements() / inputs;
  const Layout bias({1, outputs}, Type::f32, Tag::ab);
  const dnnl::matmul::desc desc({{rows, inputs}, type, Tag::ab}, {{inputs, outputs}, type, Tag::any}, bias,
                                {{rows, outputs}, type, Tag::ab});
  const dnnl::matmul::primitive_desc description(desc, engine());
  Sequence sequence;
  sequence.steps.emplace_back(dnnl::matmul(description), operands_of(description, bias));
  return sequence;
}

Sequence attention(const NodeSpec& node) {
  const auto& attrs = std::get<AttentionAttrs>(node.attrs);
  const Type type = type_of(node);
  const Shape& query = node.operands[0].shape;
  const int64_t queries = query[1], channels = query[2], keys = node.operands[1].shape[1];
  const int64_t heads = attrs.heads, width = channels / heads;
  const Layout q({heads, queries, width}, type, dnnl::memory::dims{width, channels, 1});
  const Layout k({heads, width, keys}, type, dnnl::memory::dims{width, 1, channels});
  const Layout v({heads, keys, width}, type, dnnl::memory::dims{width, channels, 1});
  const Layout scores({heads, queries, keys}, type, Tag::abc);
  dnnl::primitive_attr scale;
  scale.set_output_scales(0, {attrs.scale});
  const dnnl::matmul::primitive_desc first(dnnl::matmul::desc(q, k, scores), scale, engine());
  const dnnl::softmax_forward::primitive_desc softmax(
      dnnl::softmax_forward::desc(dnnl::prop_kind::forward_inference, scores, 2), engine());
  const dnnl::matmul::primitive_desc second(dnnl::matmul::desc(scores, v, q), engine());
  const dnnl::memory held = made(scores);
  Sequence sequence;
  sequence.times = static_cast<int>(query[0]);  // one after another: the scores of all are too many
  sequence.steps.emplace_back(
      dnnl::matmul(first),
      Arguments{{DNNL_ARG_SRC, made(q)}, {DNNL_ARG_WEIGHTS, made(k)}, {DNNL_ARG_DST, held}});
  sequence.steps.emplace_back(dnnl::softmax_forward(softmax),
                              Arguments{{DNNL_ARG_SRC, held}, {DNNL_ARG_DST, held}});
  sequence.steps.emplace_back(
      dnnl::matmul(second),
      Arguments{{DNNL_ARG_SRC, held}, {DNNL_ARG_WEIGHTS, made(v)}, {DNNL_ARG_DST, made(q)}});
  return sequence;
}

}  // namespace

Bodies onednn_ways(const NodeSpec& node) {
  if (const auto* attrs = std::get_if<AttentionAttrs>(&node.attrs)) {
    return attrs->causal ? Bodies{} : Bodies{body_of(attention(node))};
  }
  if (node.op == Op::kLinear) return {body_of(product(node))};
  if (node.op != Op::kConv2d) return {};
  const Shape& weight = node.operands[1].shape;
  const bool pointwise = weight[2] == 1 && node.output.shape[2] == node.operands[0].shape[2];
  return {body_of(pointwise ? product(node) : convolution(node, false)), body_of(convolution(node, true))};
}

}  // namespace snug::bench
