// activation, add, add_channels, affine and cast: one pass over memory each.
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

// One run of pixels of one image: `elements` of the output, which lie together.
struct Elementwise {
  DType x_type = DType::kF32, y_type = DType::kF32, out_type = DType::kF32;
  const std::byte* x = nullptr;
  const std::byte* y = nullptr;
  std::byte* out = nullptr;
  int64_t elements = 0;
  // Of y, which repeats after `period` elements, the run begins at `start`.
  int64_t period = 1, start = 0;
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
void activation_as(const Elementwise& call) {
  with_activation(call.activation, [&](auto function) HWY_ATTR {
    map(function, from<T>(call.x, 0), to<T>(call.out, 0), call.elements);
  });
}
void activation(const Elementwise& call) {
  call.x_type == DType::kF32 ? activation_as<float>(call) : activation_as<uint16_t>(call);
}

struct Affine {
  FloatVector scale, offset;
  HWY_INLINE FloatVector operator()(FloatVector x) const { return hn::MulAdd(x, scale, offset); }
};

template <typename T>
void affine_as(const Elementwise& call) {
  const Affine function = {splat(call.scale), splat(call.offset)};
  map(function, from<T>(call.x, 0), to<T>(call.out, 0), call.elements);
}
void affine(const Elementwise& call) {
  call.x_type == DType::kF32 ? affine_as<float>(call) : affine_as<uint16_t>(call);
}

void cast(const Elementwise& call) {
  if (call.x_type == DType::kF32) {
    map(NoActivation(), from<float>(call.x, 0), to<uint16_t>(call.out, 0), call.elements);
  } else {
    map(NoActivation(), from<uint16_t>(call.x, 0), to<float>(call.out, 0), call.elements);
  }
}

struct Sum {
  HWY_INLINE FloatVector operator()(FloatVector x, FloatVector y) const { return hn::Add(x, y); }
};

template <typename T, typename Y>
void add_as(const Elementwise& call) {
  int64_t start = call.start;
  for (int64_t done = 0; done < call.elements;) {
    const int64_t count = HWY_MIN(call.elements - done, call.period - start);
    map(Sum(), from<T>(call.x, done), from<Y>(call.y, start), to<T>(call.out, done), count);
    done += count;
    start = 0;
  }
}
void add(const Elementwise& call) {
  if (call.x_type == DType::kF32) {
    call.y_type == DType::kF32 ? add_as<float, float>(call) : add_as<float, uint16_t>(call);
  } else {
    call.y_type == DType::kF32 ? add_as<uint16_t, float>(call) : add_as<uint16_t, uint16_t>(call);
  }
}

void elementwise_run(Op op, const Elementwise& call) {
  switch (op) {
    case Op::kActivation: return activation(call);
    case Op::kAffine: return affine(call);
    case Op::kCast: return cast(call);
    default: return add(call);  // and add_channels
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {

HWY_EXPORT(elementwise_run);

// What a second operand is to the first: nothing, its equal, a suffix of its shape that repeats, or one row
// of channels for each image or for all.
enum class Second : uint8_t { kNone, kSameShape, kSuffix, kRows };

Second second_of(const NodeSpec& node) {
  if (node.operands.size() < 2) return Second::kNone;
  if (node.op == Op::kAddChannels) return Second::kRows;
  const Operand& y = node.operands[1];
  return !y.is_weight && y.shape == node.output.shape ? Second::kSameShape : Second::kSuffix;
}

class ElementwiseKernel final : public DenseKernel {
 public:
  explicit ElementwiseKernel(const NodeSpec& node)
      : DenseKernel(node), second_(second_of(node)), whole_(whole_region(node.output.shape)) {
    call_.x_type = stored_dtype(node.operands[0]);
    call_.out_type = node.output.dtype;
    if (second_ != Second::kNone) call_.y_type = stored_dtype(node.operands[1]);
    if (const auto* attrs = std::get_if<ActivationAttrs>(&node.attrs)) call_.activation = attrs->activation;
    if (const auto* attrs = std::get_if<AffineAttrs>(&node.attrs)) {
      call_.scale = attrs->scale;
      call_.offset = attrs->offset;
    }
    call_.period = second_ == Second::kSuffix ? node.operands[1].shape.elements() : whole_.channels.size();
  }

  std::string_view name() const override {
    switch (node_.op) {
      case Op::kActivation: return "cpu_activation";
      case Op::kAffine: return "cpu_affine";
      case Op::kCast: return "cpu_cast";
      case Op::kAdd: return "cpu_add";
      default: return "cpu_add_channels";
    }
  }

  Splits splits() const override { return {.pixels = true}; }

  // Each vector is read before the same one is written.
  bool may_overwrite(int index) const override {
    if (node_.op == Op::kCast) return false;
    return index == 0 || (second_ == Second::kSameShape && call_.y_type == call_.out_type);
  }

  void run(const KernelArgs& args) const override {
    // So that a piece is worth handing to a thread.
    const int64_t channels = whole_.channels.size(), grain = std::max<int64_t>(1, 16384 / channels);
    for_each_run(args.part, grain, [&](int64_t image, int64_t begin, int64_t end) {
      Elementwise call = call_;
      call.x = element_at(args.inputs[0], image, begin, 0, element_bytes(call.x_type));
      call.out = output_at(args, image, begin, 0, element_bytes(call.out_type));
      call.elements = (end - begin) * channels;
      const int64_t y_bytes = element_bytes(call.y_type);
      switch (second_) {
        case Second::kNone: break;
        case Second::kSameShape:
          call.y = element_at(args.inputs[1], image, begin, 0, y_bytes);
          call.period = call.elements;
          break;
        case Second::kSuffix:
          call.y = args.inputs[1].data;
          call.start = (image * whole_.pixels.size() + begin) * channels % call.period;
          break;
        case Second::kRows:
          call.y = element_at(args.inputs[1], node_.operands[1].shape[0] > 1 ? image : 0, 0, 0, y_bytes);
      }
      HWY_DYNAMIC_DISPATCH(elementwise_run)(node_.op, call);
    });
  }

 private:
  Elementwise call_;
  Second second_;
  Region whole_;
};

bool is_float(DType dtype) { return dtype == DType::kF32 || dtype == DType::kBF16; }

}  // namespace

std::unique_ptr<Kernel> make_elementwise(const NodeSpec& node, std::string& reason) {
  if (node.op == Op::kCast) {
    const DType in = stored_dtype(node.operands[0]), out = node.output.dtype;
    if (node.operands[0].is_weight || !is_float(in) || !is_float(out) || in == out) {
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
  if (node.op == Op::kAddChannels && node.operands[1].is_weight) {
    reason = "takes rows of channels that are no weight";
    return nullptr;
  }
  return std::make_unique<ElementwiseKernel>(node);
}

}  // namespace snug
#endif
