#include <cmath>

#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"

namespace snug::reference {

// Channels are innermost in memory at every rank.
void rms_norm(const NodeSpec& node, const KernelArgs& args) {
  const Elements x(node, args, 0), gamma(node, args, 1);
  const Output output(node, args);
  const Shape& shape = node.output.shape;
  const int64_t channels = shape[shape.rank() >= 4 ? 1 : -1], rows = shape.elements() / channels;
  parallel_for(rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      double squares = 0;
      for (int64_t c = 0; c < channels; ++c) {
        const double value = x[row * channels + c];
        squares += value * value;
      }
      const double mean = squares / static_cast<double>(channels);
      const double scale = 1 / std::sqrt(mean + std::get<RmsNormAttrs>(node.attrs).epsilon);
      for (int64_t c = 0; c < channels; ++c) {
        const double value = x[row * channels + c] * scale;
        output.set(row * channels + c, gamma.present() ? value * gamma[c] : value);
      }
    }
  });
}

}  // namespace snug::reference
