#include "backend/cpu/onednn_kernels.h"

#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include <dnnl.hpp>
#include <fmt/format.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/onednn_activation.h"
#include "backend/cpu/onednn_primitive.h"
#include "backend/cpu/onednn_strip_conv.h"
#include "base/check.h"
#include "base/parallel.h"

namespace snug {
namespace {

using Layout = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

// Inputs of both operations, in the order of graph/ops.
constexpr size_t kX = 0, kWeight = 1, kBias = 2, kResidual = 3;

Type onednn_type(DType dtype) { return dtype == DType::kBF16 ? Type::bf16 : Type::f32; }

// Where the residual enters. As a second source of the sum it costs nothing extra; but the convolutions on
// AMX take it only from the output itself, where it must be copied first.
enum class Residual : uint8_t { kNone, kSecondSource, kCopiedToOutput };
constexpr int kResidualArgument = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;

Residual residual_of(const NodeSpec& node, bool convolution) {
  if (!node.operands[kResidual].present) return Residual::kNone;
  const bool on_amx = used_isa() >= Isa::kAmx && node.operands[kX].dtype == DType::kBF16;
  return convolution && on_amx ? Residual::kCopiedToOutput : Residual::kSecondSource;
}

// Both operations seen alike: what lies where, and the primitive that computes it.
struct Described {
  dnnl::primitive_desc_base primitive;
  Layout x, weight, bias, output;
  Layout dense_weight;  // the F32 weights as they come, in the dimensions of `weight`
  Residual residual = Residual::kNone;
  std::string implementation;
};

dnnl::primitive_attr fused(Residual residual, const Layout& output, Activation activation) {
  dnnl::post_ops after;
  if (residual == Residual::kSecondSource) after.append_binary(dnnl::algorithm::binary_add, output);
  if (residual == Residual::kCopiedToOutput) after.append_sum(1.0F);
  return onednn_attributes(std::move(after), activation);
}

// Rows x columns, wherever the node's rows come from: x [rows,K] weight [M,K] → [rows,M].
Described describe_matmul(const NodeSpec& node, int64_t rows, Activation activation) {
  const Shape& weight = node.operands[kWeight].shape;
  const int64_t outputs = weight[0], inputs = weight[1];
  const Type type = onednn_type(node.operands[kX].dtype);
  const Layout bias = node.operands[kBias].present ? Layout({1, outputs}, Type::f32, Tag::ab) : Layout();
  const dnnl::matmul::desc product({{rows, inputs}, type, Tag::ab}, {{inputs, outputs}, type, Tag::any}, bias,
                                   {{rows, outputs}, type, Tag::ab});
  const Residual residual = residual_of(node, false);
  const dnnl::matmul::primitive_desc chosen(
      product, fused(residual, Layout({rows, outputs}, type, Tag::ab), activation), onednn_engine());
  const dnnl::primitive_desc_base& primitive = chosen;
  return {primitive,          chosen.src_desc(),     chosen.weights_desc(),
          chosen.bias_desc(), chosen.dst_desc(),     Layout({inputs, outputs}, Type::f32, Tag::ba),
          residual,           chosen.impl_info_str()};
}

struct ConvGeometry {
  Shape x, weight, out;  // logical: N C H W, O C kh kw, N O H' W'
  Conv2dAttrs attrs;
};

// The order in which packed weights lie settles which implementation oneDNN takes. Tag::any gives its block
// products where there are any, but these cut the input channels by the number of threads: 384→192 channels
// of 16x16 give other bits on 8 threads than on 1. The older convolutions sum in one order whatever the
// threads and the picture's size, at 0.90 to 1.05 of the rate of a large matrix product. With fewer channels
// than a block there is nothing to cut; BF16 on AMX has block products only.
Tag weight_order(DType dtype, int64_t inputs) {
  const Isa isa = used_isa();
  if (dtype == DType::kF32 && isa >= Isa::kAvx512) return inputs < 16 ? Tag::Ohwi16o : Tag::OIhw16i16o;
  if (dtype == DType::kBF16 && isa == Isa::kAvx512Bf16 && inputs >= 16) return Tag::OIhw8i16o2i;
  return Tag::any;
}

Described describe_convolution(const NodeSpec& node, const ConvGeometry& g, Tag order) {
  const auto dims = [](const Shape& shape) {
    return dnnl::memory::dims(shape.extents().begin(), shape.extents().end());
  };
  const Type type = onednn_type(node.operands[kX].dtype);
  const Layout bias = node.operands[kBias].present ? Layout({g.weight[0]}, Type::f32, Tag::x) : Layout();
  const dnnl::convolution_forward::desc convolution(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
      Layout(dims(g.x), type, Tag::nhwc), Layout(dims(g.weight), type, order), bias,
      Layout(dims(g.out), type, Tag::nhwc), {g.attrs.stride, g.attrs.stride},
      {g.attrs.pad_top, g.attrs.pad_left}, {g.attrs.pad_bottom, g.attrs.pad_right});
  const Residual residual = residual_of(node, true);
  const Layout output(dims(g.out), type, Tag::nhwc);
  const dnnl::convolution_forward::primitive_desc chosen(
      convolution, fused(residual, output, g.attrs.activation), onednn_engine());
  const dnnl::primitive_desc_base& primitive = chosen;
  return {primitive,          chosen.src_desc(),     chosen.weights_desc(),
          chosen.bias_desc(), chosen.dst_desc(),     Layout(dims(g.weight), Type::f32, Tag::oihw),
          residual,           chosen.impl_info_str()};
}

class OnednnKernel final : public Kernel {
 public:
  OnednnKernel(std::string_view name, const NodeSpec& node, const Described& d)
      : name_(name),
        dense_weight_(d.dense_weight),
        packed_weight_(d.weight),
        weight_form_{true, node.operands[kX].dtype, d.weight.get_size()},
        bias_form_{false, DType::kF32, node.operands[kBias].present ? d.bias.get_size() : 0},
        has_bias_(node.operands[kBias].present),
        residual_(d.residual),
        output_bytes_(bytes_of(node.output.dtype, node.output.shape.elements())),
        primitive_(d.primitive, arguments(d, has_bias_)) {}

  std::string_view name() const override { return name_; }
  size_t scratch_bytes() const override { return primitive_.scratch_bytes(); }
  WeightForm weight_form(int index) const override {
    return index == static_cast<int>(kWeight) ? weight_form_ : bias_form_;
  }

  void pack_weight(int index, std::span<const float> dense, std::byte* out) const override {
    SNUG_CHECK(index == static_cast<int>(kWeight), "only the weight is packed");
    SNUG_CHECK(dense.size_bytes() == dense_weight_.get_size(), "the weight has the node's shape");
    onednn_reorder(dense_weight_, dense.data(), packed_weight_, out);
  }

  void prepare() override { primitive_.prepare(); }
  // Measured growth of the process for a kernel, averaged over 45 convolutions and 80 products: 9 to 20 KiB
  // and 9 to 39 KiB, depending on instruction set and element type.
  size_t code_bytes() const override { return size_t{40} * 1024; }

  void run(const KernelArgs& args) const override {
    if (residual_ == Residual::kCopiedToOutput) copy_residual(args);
    std::array<void*, 5> pointers = {};
    size_t count = 0;
    pointers[count++] = readable(args.inputs[kX]);
    pointers[count++] = readable(args.inputs[kWeight]);
    if (has_bias_) pointers[count++] = readable(args.inputs[kBias]);
    pointers[count++] = args.output;
    if (residual_ == Residual::kSecondSource) pointers[count++] = readable(args.inputs[kResidual]);
    primitive_.execute(std::span(pointers).first(count), args.scratch);
  }

 private:
  static std::vector<OnednnPrimitive::Argument> arguments(const Described& d, bool has_bias) {
    std::vector<OnednnPrimitive::Argument> list = {{DNNL_ARG_SRC, d.x}, {DNNL_ARG_WEIGHTS, d.weight}};
    if (has_bias) list.push_back({DNNL_ARG_BIAS, d.bias});
    list.push_back({DNNL_ARG_DST, d.output});
    if (d.residual == Residual::kSecondSource) list.push_back({kResidualArgument, d.output});
    return list;
  }

  // oneDNN takes sources by non-const pointer and does not write to them.
  static void* readable(const std::byte* source) { return const_cast<std::byte*>(source); }

  void copy_residual(const KernelArgs& args) const {
    const std::byte* residual = args.inputs[kResidual];
    if (residual == args.output) return;
    constexpr int64_t kGrainBytes = 64 * 1024;
    parallel_for(output_bytes_, kGrainBytes, [&](int64_t begin, int64_t end) {
      std::memcpy(args.output + begin, residual + begin, static_cast<size_t>(end - begin));
    });
  }

  std::string_view name_;
  Layout dense_weight_, packed_weight_;
  WeightForm weight_form_, bias_form_;
  bool has_bias_;
  Residual residual_;
  int64_t output_bytes_;
  OnednnPrimitive primitive_;
};

bool types_fit(const NodeSpec& node, std::string& reason) {
  const DType dtype = node.operands[kX].dtype;
  if (dtype != DType::kF32 && dtype != DType::kBF16) {
    reason = fmt::format("computes in F32 and BF16, not {}", dtype_info(dtype).name);
    return false;
  }
  if (dtype == DType::kBF16 && used_isa() < Isa::kAvx512Bf16) {
    reason = "no BF16 instructions in use";
    return false;
  }
  const Operand& residual = node.operands[kResidual];
  if (node.output.dtype != dtype || (residual.present && residual.dtype != dtype)) {
    reason = "output and residual must have the input's element type";
    return false;
  }
  if (node.output.shape.elements() == 0 || node.operands[kX].shape.elements() == 0) {
    reason = "nothing to compute";
    return false;
  }
  return true;
}

// What is not a compiled implementation is either a plain loop, or cuts its sums by the number of threads
// ("gemm").
bool is_good(const Described& described, std::string& reason) {
  const std::string& name = described.implementation;
  if (name.starts_with("brg") || name.starts_with("jit")) return true;
  reason = fmt::format("oneDNN would use '{}'", name);
  return false;
}

// Describes by `describe`, or says why not.
template <typename Describe>
std::optional<Described> attempt(std::string& reason, Describe&& describe) {
  try {
    Described described = describe();
    if (is_good(described, reason)) return described;
  } catch (const dnnl::error& error) {
    reason = fmt::format("oneDNN has no implementation ({})", error.message);
  }
  return std::nullopt;
}

std::optional<Described> attempt_convolution(const NodeSpec& node, const ConvGeometry& geometry,
                                             std::string& reason) {
  const Tag order = weight_order(node.operands[kX].dtype, geometry.weight[1]);
  auto chosen = attempt(reason, [&] { return describe_convolution(node, geometry, order); });
  if (chosen || order == Tag::any) return chosen;
  return attempt(reason, [&] { return describe_convolution(node, geometry, Tag::any); });
}

// A matrix product as oneDNN's matmul where that is its block product (AVX-512), whose sums have the same
// order for any number of threads; oneDNN's inner product and its gemm cut K among threads.
std::optional<Described> attempt_matmul(const NodeSpec& node, int64_t rows, Activation activation,
                                        std::string& reason) {
  std::optional<Described> product = attempt(reason, [&] { return describe_matmul(node, rows, activation); });
  if (product && !product->implementation.starts_with("brg")) product.reset();
  return product;
}

std::unique_ptr<Kernel> make(std::string_view name, const NodeSpec& node,
                             const std::optional<Described>& chosen) {
  if (!chosen) return nullptr;
  return std::make_unique<OnednnKernel>(name, node, *chosen);
}

}  // namespace

// A 1x1 convolution over whole pixels is a matrix product over channels-last storage.
std::unique_ptr<Kernel> make_onednn_conv2d(const NodeSpec& node, std::string& reason) {
  if (!types_fit(node, reason)) return nullptr;
  const auto& attrs = std::get<Conv2dAttrs>(node.attrs);
  const Shape& x = node.operands[kX].shape;
  const Shape& weight = node.operands[kWeight].shape;
  const bool padded = attrs.pad_top + attrs.pad_left + attrs.pad_bottom + attrs.pad_right != 0;
  if (auto kernel = make_onednn_strip_conv2d(node); kernel != nullptr) return kernel;
  std::optional<Described> chosen;
  if (weight[2] == 1 && weight[3] == 1 && attrs.stride == 1 && !padded) {
    chosen = attempt_matmul(node, x[0] * x[2] * x[3], attrs.activation, reason);
  }
  if (!chosen) {
    const ConvGeometry geometry{x, weight, node.output.shape, attrs};
    chosen = attempt_convolution(node, geometry, reason);
  }
  return make("onednn_conv2d", node, chosen);
}

// Without AVX-512 a product runs as the 1x1 convolution of a picture one pixel wide: as fast as gemm there
// (1.0 of its rate) and with sums that do not depend on the number of threads.
std::unique_ptr<Kernel> make_onednn_linear(const NodeSpec& node, std::string& reason) {
  if (!types_fit(node, reason)) return nullptr;
  const auto& attrs = std::get<LinearAttrs>(node.attrs);
  const Shape& weight = node.operands[kWeight].shape;
  const int64_t rows = node.operands[kX].shape.elements() / weight[1];
  std::optional<Described> chosen = attempt_matmul(node, rows, attrs.activation, reason);
  if (!chosen) {
    const ConvGeometry geometry{{1, weight[1], rows, 1},
                                {weight[0], weight[1], 1, 1},
                                {1, weight[0], rows, 1},
                                {.activation = attrs.activation}};
    chosen = attempt_convolution(node, geometry, reason);
  }
  return make("onednn_linear", node, chosen);
}

}  // namespace snug
