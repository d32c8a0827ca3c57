#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"

namespace snug::reference {
namespace {

// The sum for output channel `o` at output pixel (n, y, x).
double convolve(const NodeSpec& node, const Elements& input, const Elements& weight, int64_t n, int64_t o,
                int64_t y, int64_t x) {
  const auto& attrs = std::get<Conv2dAttrs>(node.attrs);
  const Shape& in = node.operands[0].shape;
  const Shape& kernel = node.operands[1].shape;
  const int64_t channels = in[1], height = in[2], width = in[3];
  double sum = 0;
  for (int64_t ky = 0; ky < kernel[2]; ++ky) {
    const int64_t in_y = y * attrs.stride + ky - attrs.pad_top;
    if (in_y < 0 || in_y >= height) continue;
    for (int64_t kx = 0; kx < kernel[3]; ++kx) {
      const int64_t in_x = x * attrs.stride + kx - attrs.pad_left;
      if (in_x < 0 || in_x >= width) continue;
      const int64_t pixel = ((n * height + in_y) * width + in_x) * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t tap = ((o * channels + c) * kernel[2] + ky) * kernel[3] + kx;
        sum += static_cast<double>(input[pixel + c]) * weight[tap];
      }
    }
  }
  return sum;
}

}  // namespace

void conv2d(const NodeSpec& node, const KernelArgs& args) {
  const Elements input(node, args, 0), weight(node, args, 1), bias(node, args, 2), residual(node, args, 3);
  const Output output(node, args);
  const Shape& out = node.output.shape;
  const int64_t channels = out[1], height = out[2], width = out[3];
  parallel_for(out[0] * height * width, 1, [&](int64_t begin, int64_t end) {
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const int64_t n = pixel / (height * width), y = pixel / width % height, x = pixel % width;
      for (int64_t o = 0; o < channels; ++o) {
        double sum = convolve(node, input, weight, n, o, y, x);
        if (bias.present()) sum += bias[o];
        if (residual.present()) sum += residual[pixel * channels + o];
        output.set(pixel * channels + o, apply(std::get<Conv2dAttrs>(node.attrs).activation, sum));
      }
    }
  });
}

}  // namespace snug::reference
