#include "backend/reference/reference_kernel.h"
#include "backend/stored_layout.h"
#include "base/parallel.h"

namespace snug::reference {

void concat(const NodeSpec& node, const KernelArgs& args) {
  const Output output(node, args);
  const int axis = std::get<ConcatAttrs>(node.attrs).axis;
  const AxisCut out = cut_at(node.output.shape, axis);
  int64_t start = 0;
  for (size_t index = 0; index < node.operands.size(); ++index) {
    const Elements input(node, args, static_cast<int>(index));
    const int64_t extent = node.operands[index].shape[axis];
    for (int64_t outer = 0; outer < out.outer; ++outer) {
      for (int64_t i = 0; i < extent * out.inner; ++i) {
        output.set((outer * out.extent + start) * out.inner + i, input[outer * extent * out.inner + i]);
      }
    }
    start += extent;
  }
}

void slice(const NodeSpec& node, const KernelArgs& args) {
  const Elements input(node, args, 0);
  const Output output(node, args);
  const auto& attrs = std::get<SliceAttrs>(node.attrs);
  const AxisCut in = cut_at(node.operands[0].shape, attrs.axis);
  const int64_t run = attrs.length * in.inner;
  for (int64_t outer = 0; outer < in.outer; ++outer) {
    for (int64_t i = 0; i < run; ++i) {
      output.set(outer * run + i, input[(outer * in.extent + attrs.begin) * in.inner + i]);
    }
  }
}

void upsample_nearest(const NodeSpec& node, const KernelArgs& args) {
  const Elements input(node, args, 0);
  const Output output(node, args);
  const Shape& in = node.operands[0].shape;
  const Shape& out = node.output.shape;
  const int64_t channels = out[1], height = out[2], width = out[3];
  parallel_for(out[0] * height * width, 16, [&](int64_t begin, int64_t end) {
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const int64_t n = pixel / (height * width), y = pixel / width % height, x = pixel % width;
      const int64_t source = (n * in[2] + y * in[2] / height) * in[3] + x * in[3] / width;
      for (int64_t c = 0; c < channels; ++c) output.set(pixel * channels + c, input[source * channels + c]);
    }
  });
}

}  // namespace snug::reference
