// conv2d: x [N,C,H,W], weight [O,C,kh,kw], bias [O]?, residual [N,O,H',W']? → activation(conv + bias +
// residual). Padding is zero and may differ on each side (the VAE's downsampler pads right and bottom only).
#include <algorithm>

#include "graph/ops/rules.h"

namespace snug::ops {
namespace {

Operand infer(const Attrs& attrs, std::span<const Operand> inputs) {
  const auto& a = std::get<Conv2dAttrs>(attrs);
  const Shape& x = inputs[0].shape;
  const Shape& weight = inputs[1].shape;
  require(x.rank() == 4 && weight.rank() == 4, "conv2d takes [N,C,H,W] and [O,C,kh,kw], not {} and {}", x,
          weight);
  require(x[1] == weight[1], "conv2d: the input has {} channels, the weight takes {}", x[1], weight[1]);
  const int64_t height = x[2] + a.pad_top + a.pad_bottom - weight[2];
  const int64_t width = x[3] + a.pad_left + a.pad_right - weight[3];
  require(height >= 0 && width >= 0, "conv2d: {} is smaller than the kernel {}", x, weight);
  const Shape out{x[0], weight[0], height / a.stride + 1, width / a.stride + 1};
  require(!inputs[2].present || inputs[2].shape == Shape{weight[0]}, "conv2d: bias {} for {} channels",
          inputs[2].shape, weight[0]);
  require(!inputs[3].present || inputs[3].shape == out, "conv2d: residual {} for output {}", inputs[3].shape,
          out);
  return {inputs[0].dtype, out};
}

// The input's rows under the kernel; of those beyond the picture nothing is read.
Region needs(const Attrs& attrs, std::span<const Operand> inputs, const Operand& output, size_t input,
             const Region& out) {
  if (input == 3) return same_region(inputs[3], out);
  if (input != 0) return rows_of_channels(out);
  const auto& a = std::get<Conv2dAttrs>(attrs);
  const int64_t height = inputs[0].shape[2], width = inputs[0].shape[3];
  const Interval rows = picture_rows(out, output.shape[3]);
  const int64_t first = rows.begin * a.stride - a.pad_top;
  const int64_t last = (rows.end - 1) * a.stride - a.pad_top + inputs[1].shape[2];
  Region region = same_images(inputs[0], out);
  // At least one row, also where all of the kernel is in the padding.
  const int64_t begin = std::clamp<int64_t>(first, 0, height - 1);
  region.pixels = {begin * width, std::clamp<int64_t>(last, begin + 1, height) * width};
  return region;
}

double flops(const Attrs&, std::span<const Operand> inputs, const Operand& output) {
  const Shape& weight = inputs[1].shape;
  return 2.0 * static_cast<double>(output.shape.elements()) *
         static_cast<double>(weight[1] * weight[2] * weight[3]);
}

std::string describe(const Attrs& attrs) {
  const auto& a = std::get<Conv2dAttrs>(attrs);
  return fmt::format("stride={} pad={},{},{},{} activation={}", a.stride, a.pad_top, a.pad_left, a.pad_bottom,
                     a.pad_right, activation_name(a.activation));
}

}  // namespace

const OpInfo& conv2d() {
  static constexpr OpInfo kInfo = {Op::kConv2d, "conv2d", "x weight bias? residual?",
                                   infer,       flops,    describe,
                                   false,       needs,    step_of_one_row};
  return kInfo;
}

}  // namespace snug::ops
