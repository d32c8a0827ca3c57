#include <cmath>

#include "backend/reference/reference_kernel.h"

namespace snug::reference {

void rotary(const NodeSpec& node, const KernelArgs& args) {
  const auto& attrs = std::get<RotaryAttrs>(node.attrs);
  const Elements x(node, args, 0);
  const Output output(node, args);
  const Shape& shape = node.output.shape;
  const int64_t width = shape[2] / attrs.heads;
  const int64_t of_rows = 2 * (width / 6), of_frames = width - 2 * of_rows;
  for (int64_t i = 0; i < shape.elements(); i += 2) {
    const int64_t token = i / shape[2] % shape[1], channel = i % width;
    int64_t place = token / (attrs.height * attrs.width), part = of_frames, at = channel;
    if (channel >= of_frames) {
      const bool row = channel < of_frames + of_rows;
      place = row ? token / attrs.width % attrs.height : token % attrs.width;
      part = of_rows;
      at = channel - of_frames - (row ? 0 : of_rows);
    }
    const double angle =
        static_cast<double>(place) *
        std::pow(static_cast<double>(attrs.theta), -static_cast<double>(at) / static_cast<double>(part));
    const double cosine = std::cos(angle), sine = std::sin(angle);
    output.set(i, x[i] * cosine - x[i + 1] * sine);
    output.set(i + 1, x[i] * sine + x[i + 1] * cosine);
  }
}

}  // namespace snug::reference
