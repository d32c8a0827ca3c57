// conv3d: x [N,C,T,H,W], weight [O,C,kt,kh,kw], bias [O]?, residual [N,O,T',H',W']? → activation(conv + bias
// + residual). Causal: padding in time is in front only, so that a clip can be computed frame after frame. A
// window of kt = 1 is a convolution of each frame.
#include <algorithm>

#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<Conv3dAttrs>(attrs);
  const Shape& x = inputs[0].shape;
  const Shape& weight = inputs[1].shape;
  require(x.rank() == 5 && weight.rank() == 5, "conv3d takes [N,C,T,H,W] and [O,C,kt,kh,kw], not {} and {}",
          x, weight);
  require(x[1] == weight[1], "conv3d: the input has {} channels, the weight takes {}", x[1], weight[1]);
  const int64_t frames = x[2] + a.pad_front - weight[2];
  const int64_t height = x[3] + a.pad_top + a.pad_bottom - weight[3];
  const int64_t width = x[4] + a.pad_left + a.pad_right - weight[4];
  require(frames >= 0 && height >= 0 && width >= 0, "conv3d: {} is smaller than the kernel {}", x, weight);
  const Shape out{x[0], weight[0], frames / a.time_stride + 1, height / a.stride + 1, width / a.stride + 1};
  require(!inputs[2].present || inputs[2].shape == Shape{weight[0]}, "conv3d: bias {} for {} channels",
          inputs[2].shape, weight[0]);
  require(!inputs[3].present || inputs[3].shape == out, "conv3d: residual {} for output {}", inputs[3].shape,
          out);
  return {inputs[0].dtype, out};
}

// Rows of frames follow each other: everything from the first row under the window, in its earliest frame, to
// the last in its latest. While the window reaches into the padding in front, later rows still need the
// first.
Region needs(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output, size_t input,
             const Region& out) {
  if (input == 3) return same_region(inputs[3], out);
  if (input != 0) return rows_of_channels(out);
  const auto& a = std::get<Conv3dAttrs>(attrs);
  const Shape& kernel = inputs[1].shape;
  const int64_t frames = inputs[0].shape[2], height = inputs[0].shape[3], width = inputs[0].shape[4];
  const int64_t out_height = output.shape[3];
  const Interval rows = picture_rows(out, output.shape[4]);  // counted through all frames
  const int64_t last = rows.end - 1;
  const int64_t first_frame = rows.begin / out_height * a.time_stride - a.pad_front;
  const int64_t last_frame = last / out_height * a.time_stride - a.pad_front + kernel[2] - 1;
  const int64_t top = rows.begin % out_height * a.stride - a.pad_top;
  const int64_t bottom = last % out_height * a.stride - a.pad_top + kernel[3];
  const int64_t begin = first_frame < 0 ? 0 : first_frame * height + std::clamp<int64_t>(top, 0, height - 1);
  const int64_t end =
      std::clamp<int64_t>(last_frame, 0, frames - 1) * height + std::clamp<int64_t>(bottom, 1, height);
  Region region = same_images(inputs[0], out);
  region.pixels = {begin * width, std::max(begin + 1, end) * width};
  return region;
}

double flops(const Attrs&, std::span<const Operand> inputs, const Operand& output) {
  const Shape& weight = inputs[1].shape;
  return 2.0 * static_cast<double>(output.shape.elements()) *
         static_cast<double>(weight[1] * weight[2] * weight[3] * weight[4]);
}

std::string describe(const Attrs& attrs) {
  const auto& a = std::get<Conv3dAttrs>(attrs);
  return fmt::format("stride={},{} pad={},{},{},{},{} unseen={} activation={}", a.time_stride, a.stride,
                     a.pad_front, a.pad_top, a.pad_left, a.pad_bottom, a.pad_right, a.unseen_frames,
                     activation_name(a.activation));
}

}  // namespace

const OpInfo& conv3d() {
  static constexpr OpInfo kInfo = {Op::kConv3d, "conv3d", "x weight bias? residual?",
                                   infer,       flops,    describe,
                                   false,       needs,    step_of_one_row};
  return kInfo;
}

}  // namespace snug::ops
