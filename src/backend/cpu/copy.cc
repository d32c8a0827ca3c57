// concat, slice and upsample_nearest: nothing but copies of runs of bytes that lie together, whatever the
// elements are.
#include <algorithm>
#include <cstring>

#include "backend/cpu/dense_kernel.h"
#include "backend/stored_layout.h"
#include "base/parallel.h"

namespace snug {
namespace {

// Long runs are cut so that few of them still keep all threads busy; below this a thread is not worth waking.
constexpr int64_t kPieceBytes = 64 * 1024;

// `rows` runs of `run_bytes`, each at its stride.
void copy_runs(const std::byte* from, int64_t from_stride, std::byte* to, int64_t to_stride,
               int64_t run_bytes, int64_t rows) {
  if (run_bytes == 0) return;
  const int64_t pieces = (run_bytes + kPieceBytes - 1) / kPieceBytes;
  const int64_t grain = std::max<int64_t>(1, kPieceBytes / run_bytes);
  parallel_for(rows * pieces, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / pieces, start = i % pieces * kPieceBytes;
      std::memcpy(to + row * to_stride + start, from + row * from_stride + start,
                  static_cast<size_t>(std::min(kPieceBytes, run_bytes - start)));
    }
  });
}

// Joins or cuts of channels go pixel by pixel, in parts too; along other axes they are of the whole.
bool is_of_channels(const Shape& shape, int axis) {
  return axis == (shape.rank() >= 4 ? 1 : shape.rank() - 1);
}

class CopyKernel : public DenseKernel {
 public:
  CopyKernel(const NodeSpec& node, bool in_parts)
      : DenseKernel(node), element_bytes_(element_bytes(node.output.dtype)), in_parts_(in_parts) {}
  Splits splits() const override { return {.pixels = in_parts_}; }

 protected:
  // For the pixels of the part: `channels` of `from`, beginning with its `from_channel`, to those of the
  // output from `to_channel`.
  void copy_channels(const KernelArgs& args, const OperandView& from, int64_t from_channel,
                     int64_t to_channel, int64_t channels) const {
    const int64_t run_bytes = channels * element_bytes_;
    const int64_t from_stride = from.held.channels.size() * element_bytes_;
    const int64_t to_stride = args.output_held.channels.size() * element_bytes_;
    for_each_run(args.part, std::max<int64_t>(1, kPieceBytes / std::max<int64_t>(1, run_bytes)),
                 [&](int64_t image, int64_t begin, int64_t end) {
                   const std::byte* source = element_at(from, image, begin, from_channel, element_bytes_);
                   std::byte* target = output_at(args, image, begin, to_channel, element_bytes_);
                   for (int64_t pixel = begin; pixel < end; ++pixel) {
                     std::memcpy(target, source, static_cast<size_t>(run_bytes));
                     source += from_stride;
                     target += to_stride;
                   }
                 });
  }

  int64_t element_bytes_;
  bool in_parts_;
};

class ConcatKernel final : public CopyKernel {
 public:
  explicit ConcatKernel(const NodeSpec& node)
      : CopyKernel(node, is_of_channels(node.output.shape, std::get<ConcatAttrs>(node.attrs).axis)) {}
  std::string_view name() const override { return "cpu_concat"; }
  void run(const KernelArgs& args) const override {
    const int axis = std::get<ConcatAttrs>(node_.attrs).axis;
    const AxisCut out = cut_at(node_.output.shape, axis);
    int64_t start = 0;
    for (size_t i = 0; i < node_.operands.size(); ++i) {
      const int64_t extent = node_.operands[i].shape[axis];
      if (in_parts_) {
        copy_channels(args, args.inputs[i], 0, start, extent);
      } else {
        const int64_t bytes_of_index = out.inner * element_bytes_, run_bytes = extent * bytes_of_index;
        copy_runs(args.inputs[i].data, run_bytes, args.output + start * bytes_of_index,
                  out.extent * bytes_of_index, run_bytes, out.outer);
      }
      start += extent;
    }
  }
};

class SliceKernel final : public CopyKernel {
 public:
  explicit SliceKernel(const NodeSpec& node)
      : CopyKernel(node, is_of_channels(node.output.shape, std::get<SliceAttrs>(node.attrs).axis)) {}
  std::string_view name() const override { return "cpu_slice"; }
  void run(const KernelArgs& args) const override {
    const auto& attrs = std::get<SliceAttrs>(node_.attrs);
    if (in_parts_) return copy_channels(args, args.inputs[0], attrs.begin, 0, attrs.length);
    const AxisCut in = cut_at(node_.operands[0].shape, attrs.axis);
    const int64_t bytes_of_index = in.inner * element_bytes_, run_bytes = attrs.length * bytes_of_index;
    copy_runs(args.inputs[0].data + attrs.begin * bytes_of_index, in.extent * bytes_of_index, args.output,
              run_bytes, run_bytes, in.outer);
  }
};

class UpsampleNearestKernel final : public CopyKernel {
 public:
  explicit UpsampleNearestKernel(const NodeSpec& node) : CopyKernel(node, true) {}
  std::string_view name() const override { return "cpu_upsample_nearest"; }
  void run(const KernelArgs& args) const override {
    const Shape& in = node_.operands[0].shape;
    const Shape& out = node_.output.shape;
    const auto pixel_bytes = static_cast<size_t>(out[1] * element_bytes_);
    const int64_t grain = std::max<int64_t>(1, kPieceBytes / std::max<int64_t>(1, out[1] * element_bytes_));
    for_each_run(args.part, grain, [&](int64_t image, int64_t begin, int64_t end) {
      for (int64_t pixel = begin; pixel < end; ++pixel) {
        const int64_t y = pixel / out[3] * in[2] / out[2], x = pixel % out[3] * in[3] / out[3];
        std::memcpy(output_at(args, image, pixel, 0, element_bytes_),
                    element_at(args.inputs[0], image, y * in[3] + x, 0, element_bytes_), pixel_bytes);
      }
    });
  }
};

}  // namespace

std::unique_ptr<Kernel> make_copy(const NodeSpec& node, std::string& reason) {
  for (const Operand& operand : node.operands) {
    if (operand.is_weight || operand.dtype != node.output.dtype) {
      reason = "copies activations as they are, converts none";
      return nullptr;
    }
  }
  if (node.op == Op::kConcat) return std::make_unique<ConcatKernel>(node);
  if (node.op == Op::kSlice) return std::make_unique<SliceKernel>(node);
  return std::make_unique<UpsampleNearestKernel>(node);
}

}  // namespace snug
