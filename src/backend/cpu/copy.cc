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

class CopyKernel : public DenseKernel {
 public:
  explicit CopyKernel(const NodeSpec& node)
      : DenseKernel(node), element_bytes_(element_bytes(node.output.dtype)) {}

 protected:
  int64_t element_bytes_;
};

class ConcatKernel final : public CopyKernel {
 public:
  using CopyKernel::CopyKernel;
  std::string_view name() const override { return "cpu_concat"; }
  void run(const KernelArgs& args) const override {
    const int axis = std::get<ConcatAttrs>(node_.attrs).axis;
    const AxisCut out = cut_at(node_.output.shape, axis);
    const int64_t bytes_of_index = out.inner * element_bytes_;
    std::byte* to = args.output;
    for (size_t i = 0; i < node_.operands.size(); ++i) {
      const int64_t run_bytes = node_.operands[i].shape[axis] * bytes_of_index;
      copy_runs(args.inputs[i].data, run_bytes, to, out.extent * bytes_of_index, run_bytes, out.outer);
      to += run_bytes;
    }
  }
};

class SliceKernel final : public CopyKernel {
 public:
  using CopyKernel::CopyKernel;
  std::string_view name() const override { return "cpu_slice"; }
  void run(const KernelArgs& args) const override {
    const auto& attrs = std::get<SliceAttrs>(node_.attrs);
    const AxisCut in = cut_at(node_.operands[0].shape, attrs.axis);
    const int64_t bytes_of_index = in.inner * element_bytes_, run_bytes = attrs.length * bytes_of_index;
    copy_runs(args.inputs[0].data + attrs.begin * bytes_of_index, in.extent * bytes_of_index, args.output,
              run_bytes, run_bytes, in.outer);
  }
};

class UpsampleNearestKernel final : public CopyKernel {
 public:
  using CopyKernel::CopyKernel;
  std::string_view name() const override { return "cpu_upsample_nearest"; }
  void run(const KernelArgs& args) const override {
    const Shape& in = node_.operands[0].shape;
    const Shape& out = node_.output.shape;
    const int64_t pixel_bytes = out[1] * element_bytes_, row_bytes = out[3] * pixel_bytes;
    parallel_for(out[0] * out[2], std::max<int64_t>(1, kPieceBytes / row_bytes),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) {
                     const int64_t in_row = row / out[2] * in[2] + row % out[2] * in[2] / out[2];
                     const std::byte* from = args.inputs[0].data + in_row * in[3] * pixel_bytes;
                     std::byte* to = args.output + row * row_bytes;
                     for (int64_t x = 0; x < out[3]; ++x) {
                       std::memcpy(to + x * pixel_bytes, from + x * in[3] / out[3] * pixel_bytes,
                                   static_cast<size_t>(pixel_bytes));
                     }
                   }
                 });
  }
};

}  // namespace

std::unique_ptr<Kernel> make_copy(const NodeSpec& node, std::string& reason) {
  for (const Operand& operand : node.operands) {
    if (stored_dtype(operand) != node.output.dtype) {
      reason = "copies elements as they are, converts none";
      return nullptr;
    }
  }
  if (node.op == Op::kConcat) return std::make_unique<ConcatKernel>(node);
  if (node.op == Op::kSlice) return std::make_unique<SliceKernel>(node);
  return std::make_unique<UpsampleNearestKernel>(node);
}

}  // namespace snug
