#include "bench/onednn_product.h"

#include <cstring>
#include <unordered_map>

#include <dnnl.hpp>

namespace snug::bench {
namespace {

using Layout = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

Type type_of(const NodeSpec& node) { return node.output.dtype == DType::kBF16 ? Type::bf16 : Type::f32; }

dnnl::memory::dims dims_of(const Shape& shape) {
  dnnl::memory::dims dims;
  for (int i = 0; i < shape.rank(); ++i) dims.push_back(shape[i]);
  return dims;
}

}  // namespace

struct OnednnProduct::Implementation {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::primitive primitive;
  std::unordered_map<int, dnnl::memory> arguments;

  void give(int argument, const Layout& layout) {
    dnnl::memory memory(layout, engine);
    std::memset(memory.get_data_handle(), 0, layout.get_size());  // ordinary numbers in every type
    arguments.emplace(argument, memory);
  }
  template <typename Description>
  void give_all(const Description& description) {
    give(DNNL_ARG_SRC, description.src_desc());
    give(DNNL_ARG_WEIGHTS, description.weights_desc());
    give(DNNL_ARG_DST, description.dst_desc());
  }

  void convolution(const NodeSpec& node, bool own_layout) {
    const auto& attrs = std::get<Conv2dAttrs>(node.attrs);
    const Type type = type_of(node);
    const Tag tag = own_layout ? Tag::any : Tag::nhwc;
    const Layout bias(dims_of(node.operands[2].shape), Type::f32, Tag::a);
    const dnnl::convolution_forward::desc desc(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
        {dims_of(node.operands[0].shape), type, tag}, {dims_of(node.operands[1].shape), type, Tag::any}, bias,
        {dims_of(node.output.shape), type, tag}, {attrs.stride, attrs.stride},
        {attrs.pad_top, attrs.pad_left}, {attrs.pad_bottom, attrs.pad_right});
    const dnnl::convolution_forward::primitive_desc description(desc, engine);
    primitive = dnnl::convolution_forward(description);
    give_all(description);
    give(DNNL_ARG_BIAS, bias);
  }

  // Of linears, and of 1x1 convolutions of whole pictures.
  void product(const NodeSpec& node) {
    const Type type = type_of(node);
    const int64_t inputs = node.operands[1].shape[1], outputs = node.operands[1].shape[0];
    const int64_t rows = node.operands[0].shape.elements() / inputs;
    const Layout bias({1, outputs}, Type::f32, Tag::ab);
    const dnnl::matmul::desc desc({{rows, inputs}, type, Tag::ab}, {{inputs, outputs}, type, Tag::any}, bias,
                                  {{rows, outputs}, type, Tag::ab});
    const dnnl::matmul::primitive_desc description(desc, engine);
    primitive = dnnl::matmul(description);
    give_all(description);
    give(DNNL_ARG_BIAS, bias);
  }
};

OnednnProduct::OnednnProduct(const NodeSpec& node, bool own_layout)
    : implementation_(std::make_unique<Implementation>()) {
  const Shape& weight = node.operands[1].shape;
  const bool pointwise = node.op == Op::kConv2d && weight[2] == 1 && weight[3] == 1 &&
                         node.output.shape[2] == node.operands[0].shape[2];
  if (node.op == Op::kConv2d && !(pointwise && !own_layout)) {
    implementation_->convolution(node, own_layout);
  } else {
    implementation_->product(node);
  }
}

OnednnProduct::~OnednnProduct() = default;

void OnednnProduct::run() {
  implementation_->primitive.execute(implementation_->stream, implementation_->arguments);
  implementation_->stream.wait();
}

}  // namespace snug::bench
