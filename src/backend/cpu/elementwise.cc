// activation, geglu, add, add_channels, affine and cast: one pass over memory each.
#include "backend/cpu/dense_kernel.h"
#include "backend/stored_layout.h"
#include "base/parallel.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/elementwise.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/simd_math-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

#ifndef SNUG_BACKEND_CPU_ELEMENTWISE_ONCE
#define SNUG_BACKEND_CPU_ELEMENTWISE_ONCE
namespace snug {
namespace {

// Operands of one call, and what it needs of the shapes.
struct Elementwise {
  DType x_type = DType::kF32, y_type = DType::kF32, out_type = DType::kF32;
  const std::byte* x = nullptr;
  const std::byte* y = nullptr;
  std::byte* out = nullptr;
  // add: y repeats after so many elements. geglu: features of the output. add_channels: channels.
  int64_t period = 1;
  int64_t rows_of_image = 0;  // add_channels: pixels that share a row of y; 0 when all do
  Activation activation = Activation::kNone;
  float scale = 1, offset = 0;
};

}  // namespace
}  // namespace snug
#endif

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

template <typename T>
const T* from(const std::byte* data, int64_t element) {
  return reinterpret_cast<const T*>(data) + element;
}
template <typename T>
T* to(std::byte* data, int64_t element) {
  return reinterpret_cast<T*>(data) + element;
}

template <typename T>
void activation_as(const Elementwise& call, int64_t begin, int64_t end) {
  with_activation(call.activation, [&](auto function) HWY_ATTR {
    map(function, from<T>(call.x, begin), to<T>(call.out, begin), end - begin);
  });
}
void activation(const Elementwise& call, int64_t begin, int64_t end) {
  call.x_type == DType::kF32 ? activation_as<float>(call, begin, end)
                             : activation_as<uint16_t>(call, begin, end);
}

struct Affine {
  FloatVector scale, offset;
  HWY_INLINE FloatVector operator()(FloatVector x) const { return hn::MulAdd(x, scale, offset); }
};

template <typename T>
void affine_as(const Elementwise& call, int64_t begin, int64_t end) {
  const Affine function = {splat(call.scale), splat(call.offset)};
  map(function, from<T>(call.x, begin), to<T>(call.out, begin), end - begin);
}
void affine(const Elementwise& call, int64_t begin, int64_t end) {
  call.x_type == DType::kF32 ? affine_as<float>(call, begin, end) : affine_as<uint16_t>(call, begin, end);
}

void cast(const Elementwise& call, int64_t begin, int64_t end) {
  if (call.x_type == DType::kF32) {
    map(NoActivation(), from<float>(call.x, begin), to<uint16_t>(call.out, begin), end - begin);
  } else {
    map(NoActivation(), from<uint16_t>(call.x, begin), to<float>(call.out, begin), end - begin);
  }
}

struct TimesGelu {
  HWY_INLINE FloatVector operator()(FloatVector x, FloatVector gate) const { return hn::Mul(x, gelu(gate)); }
};

template <typename T>
void geglu_as(const Elementwise& call, int64_t begin, int64_t end) {
  const int64_t features = call.period;
  for (int64_t row = begin; row < end; ++row) {
    const T* x = from<T>(call.x, row * 2 * features);
    map(TimesGelu(), x, x + features, to<T>(call.out, row * features), features);
  }
}
void geglu(const Elementwise& call, int64_t begin, int64_t end) {
  call.x_type == DType::kF32 ? geglu_as<float>(call, begin, end) : geglu_as<uint16_t>(call, begin, end);
}

struct Sum {
  HWY_INLINE FloatVector operator()(FloatVector x, FloatVector y) const { return hn::Add(x, y); }
};

template <typename T, typename Y>
void add_as(const Elementwise& call, int64_t begin, int64_t end) {
  while (begin < end) {
    const int64_t start = begin % call.period;
    const int64_t count = HWY_MIN(end - begin, call.period - start);
    map(Sum(), from<T>(call.x, begin), from<Y>(call.y, start), to<T>(call.out, begin), count);
    begin += count;
  }
}
template <typename T, typename Y>
void add_channels_as(const Elementwise& call, int64_t begin, int64_t end) {
  const int64_t channels = call.period;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = call.rows_of_image == 0 ? 0 : row / call.rows_of_image;
    map(Sum(), from<T>(call.x, row * channels), from<Y>(call.y, image * channels),
        to<T>(call.out, row * channels), channels);
  }
}

void add(const Elementwise& call, int64_t begin, int64_t end) {
  if (call.x_type == DType::kF32) {
    call.y_type == DType::kF32 ? add_as<float, float>(call, begin, end)
                               : add_as<float, uint16_t>(call, begin, end);
  } else {
    call.y_type == DType::kF32 ? add_as<uint16_t, float>(call, begin, end)
                               : add_as<uint16_t, uint16_t>(call, begin, end);
  }
}
void add_channels(const Elementwise& call, int64_t begin, int64_t end) {
  if (call.x_type == DType::kF32) {
    call.y_type == DType::kF32 ? add_channels_as<float, float>(call, begin, end)
                               : add_channels_as<float, uint16_t>(call, begin, end);
  } else {
    call.y_type == DType::kF32 ? add_channels_as<uint16_t, float>(call, begin, end)
                               : add_channels_as<uint16_t, uint16_t>(call, begin, end);
  }
}

// Elements, pixels or rows [begin, end) of the output, by operation.
void elementwise_range(Op op, const Elementwise& call, int64_t begin, int64_t end) {
  switch (op) {
    case Op::kActivation: return activation(call, begin, end);
    case Op::kAffine: return affine(call, begin, end);
    case Op::kCast: return cast(call, begin, end);
    case Op::kGeglu: return geglu(call, begin, end);
    case Op::kAdd: return add(call, begin, end);
    default: return add_channels(call, begin, end);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {

HWY_EXPORT(elementwise_range);

class ElementwiseKernel final : public DenseKernel {
 public:
  explicit ElementwiseKernel(const NodeSpec& node) : DenseKernel(node) {
    const std::vector<Operand>& operands = node.operands;
    call_.x_type = stored_dtype(operands[0]);
    call_.out_type = node.output.dtype;
    if (operands.size() > 1) call_.y_type = stored_dtype(operands[1]);
    const Shape& out = node.output.shape;
    if (const auto* attrs = std::get_if<ActivationAttrs>(&node.attrs)) call_.activation = attrs->activation;
    if (const auto* attrs = std::get_if<AffineAttrs>(&node.attrs)) {
      call_.scale = attrs->scale;
      call_.offset = attrs->offset;
    }
    int64_t elements_of_unit = 1;
    if (node.op == Op::kAdd) call_.period = operands[1].shape.elements();
    if (node.op == Op::kGeglu) call_.period = elements_of_unit = out[-1];
    if (node.op == Op::kAddChannels) {
      call_.period = elements_of_unit = out[1];
      call_.rows_of_image = operands[1].shape[0] > 1 ? out[2] * out[3] : 0;
    }
    units_ = out.elements() / elements_of_unit;
    // So that a piece is worth handing to a thread.
    grain_ = std::max<int64_t>(1, 16384 / elements_of_unit);
  }

  std::string_view name() const override {
    switch (node_.op) {
      case Op::kActivation: return "cpu_activation";
      case Op::kAffine: return "cpu_affine";
      case Op::kCast: return "cpu_cast";
      case Op::kGeglu: return "cpu_geglu";
      case Op::kAdd: return "cpu_add";
      default: return "cpu_add_channels";
    }
  }

  void run(const KernelArgs& args) const override {
    Elementwise call = call_;
    call.x = args.inputs[0].data;
    if (args.inputs.size() > 1) call.y = args.inputs[1].data;
    call.out = args.output;
    parallel_for(units_, grain_, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(elementwise_range)(node_.op, call, begin, end);
    });
  }

 private:
  Elementwise call_;
  int64_t units_ = 0, grain_ = 1;
};

bool is_float(DType dtype) { return dtype == DType::kF32 || dtype == DType::kBF16; }

}  // namespace

std::unique_ptr<Kernel> make_elementwise(const NodeSpec& node, std::string& reason) {
  if (node.op == Op::kCast) {
    const DType in = stored_dtype(node.operands[0]), out = node.output.dtype;
    if (!is_float(in) || !is_float(out) || in == out) {
      reason = "casts F32 to BF16 and back";
      return nullptr;
    }
  } else if (!takes_types_of(node, reason)) {
    return nullptr;
  }
  if (node.operands.size() > 1 && !is_float(stored_dtype(node.operands[1]))) {
    reason = "takes a second operand of F32 or BF16";
    return nullptr;
  }
  return std::make_unique<ElementwiseKernel>(node);
}

}  // namespace snug
#endif
