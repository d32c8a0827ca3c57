#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"

namespace snug::reference {
namespace {

struct Place {
  int64_t n = 0, t = 0, y = 0, x = 0;
};

// The sum for output channel `o` at output place `at`.
double convolve(const NodeSpec& node, const Elements& input, const Elements& weight, const Place& at,
                int64_t o) {
  const auto& attrs = std::get<Conv3dAttrs>(node.attrs);
  const Shape& in = node.operands[0].shape;
  const Shape& kernel = node.operands[1].shape;
  const int64_t channels = in[1];
  double sum = 0;
  for (int64_t kt = 0; kt < kernel[2]; ++kt) {
    const int64_t t = at.t * attrs.time_stride + kt - attrs.pad_front;
    if (t < attrs.unseen_frames || t < 0 || t >= in[2]) continue;
    for (int64_t ky = 0; ky < kernel[3]; ++ky) {
      const int64_t y = at.y * attrs.stride + ky - attrs.pad_top;
      if (y < 0 || y >= in[3]) continue;
      for (int64_t kx = 0; kx < kernel[4]; ++kx) {
        const int64_t x = at.x * attrs.stride + kx - attrs.pad_left;
        if (x < 0 || x >= in[4]) continue;
        const int64_t pixel = (((at.n * in[2] + t) * in[3] + y) * in[4] + x) * channels;
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t tap = (((o * channels + c) * kernel[2] + kt) * kernel[3] + ky) * kernel[4] + kx;
          sum += static_cast<double>(input[pixel + c]) * weight[tap];
        }
      }
    }
  }
  return sum;
}

}  // namespace

void conv3d(const NodeSpec& node, const KernelArgs& args) {
  const Elements input(node, args, 0), weight(node, args, 1), bias(node, args, 2), residual(node, args, 3);
  const Output output(node, args);
  const Shape& out = node.output.shape;
  const int64_t channels = out[1], frames = out[2], height = out[3], width = out[4];
  parallel_for(out[0] * frames * height * width, 1, [&](int64_t begin, int64_t end) {
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const Place at = {pixel / (frames * height * width), pixel / (height * width) % frames,
                        pixel / width % height, pixel % width};
      for (int64_t o = 0; o < channels; ++o) {
        double sum = convolve(node, input, weight, at, o);
        if (bias.present()) sum += bias[o];
        if (residual.present()) sum += residual[pixel * channels + o];
        output.set(pixel * channels + o, apply(std::get<Conv3dAttrs>(node.attrs).activation, sum));
      }
    }
  });
}

}  // namespace snug::reference
