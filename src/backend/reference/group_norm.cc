#include <cmath>

#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"

namespace snug::reference {

void group_norm(const NodeSpec& node, const KernelArgs& args) {
  const auto& attrs = std::get<GroupNormAttrs>(node.attrs);
  const Elements x(node, args, 0), gamma(node, args, 1), beta(node, args, 2), channel_add(node, args, 3);
  const Output output(node, args);
  const Shape& shape = node.operands[0].shape;
  const int64_t channels = shape[1], pixels = shape[2] * shape[3], of_group = channels / attrs.groups;
  const bool add_per_image = channel_add.present() && node.operands[3].shape[0] > 1;

  parallel_for(shape[0] * attrs.groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / attrs.groups, first = i % attrs.groups * of_group;
      const auto value = [&](int64_t pixel, int64_t c) {
        double v = x[(n * pixels + pixel) * channels + c];
        if (channel_add.present()) v += channel_add[(add_per_image ? n * channels : 0) + c];
        return v;
      };
      const auto mean_of = [&](auto&& term) {
        double sum = 0;
        for (int64_t pixel = 0; pixel < pixels; ++pixel) {
          for (int64_t c = first; c < first + of_group; ++c) sum += term(value(pixel, c));
        }
        return sum / static_cast<double>(pixels * of_group);
      };
      const double mean = mean_of([](double v) { return v; });
      const double variance = mean_of([&](double v) { return (v - mean) * (v - mean); });
      const double scale = 1 / std::sqrt(variance + attrs.epsilon);
      for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        for (int64_t c = first; c < first + of_group; ++c) {
          const double normalised = (value(pixel, c) - mean) * scale * gamma[c] + beta[c];
          output.set((n * pixels + pixel) * channels + c, apply(attrs.activation, normalised));
        }
      }
    }
  });
}

}  // namespace snug::reference
