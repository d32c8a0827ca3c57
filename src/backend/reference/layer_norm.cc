#include <cmath>

#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"

namespace snug::reference {

void layer_norm(const NodeSpec& node, const KernelArgs& args) {
  const Elements x(node, args, 0), gamma(node, args, 1), beta(node, args, 2);
  const Output output(node, args);
  const int64_t channels = node.output.shape[-1], rows = node.output.shape.elements() / channels;
  parallel_for(rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      double mean = 0, variance = 0;
      for (int64_t c = 0; c < channels; ++c) mean += x[row * channels + c];
      mean /= static_cast<double>(channels);
      for (int64_t c = 0; c < channels; ++c) {
        const double deviation = x[row * channels + c] - mean;
        variance += deviation * deviation;
      }
      variance /= static_cast<double>(channels);
      const double scale = 1 / std::sqrt(variance + std::get<LayerNormAttrs>(node.attrs).epsilon);
      for (int64_t c = 0; c < channels; ++c) {
        double value = (x[row * channels + c] - mean) * scale;
        if (gamma.present()) value *= gamma[c];
        if (beta.present()) value += beta[c];
        output.set(row * channels + c, value);
      }
    }
  });
}

}  // namespace snug::reference
