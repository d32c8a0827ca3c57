#include <cmath>

#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"

namespace snug::reference {

void embedding(const NodeSpec& node, const KernelArgs& args) {
  const auto* ids = reinterpret_cast<const int32_t*>(args.inputs[0].data);
  const Elements table(node, args, 1);
  const Output output(node, args);
  const int64_t channels = node.output.shape[2];
  parallel_for(node.output.shape[0] * node.output.shape[1], 4, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; ++token) {
      for (int64_t c = 0; c < channels; ++c)
        output.set(token * channels + c, table[ids[token] * channels + c]);
    }
  });
}

// Every step in float32, in PyTorch's order: another rounding of the frequencies moves the sinusoids by up to
// 6e-5 where timesteps are near 1000.
void timestep_embedding(const NodeSpec& node, const KernelArgs& args) {
  const auto& attrs = std::get<TimestepEmbeddingAttrs>(node.attrs);
  const Elements timesteps(node, args, 0);
  const Output output(node, args);
  const int64_t half = attrs.channels / 2;
  const int64_t cosines = attrs.cosines_first ? 0 : half, sines = attrs.cosines_first ? half : 0;
  for (int64_t b = 0; b < node.output.shape[0]; ++b) {
    for (int64_t i = 0; i < half; ++i) {
      const float exponent = -9.210340371976184F * static_cast<float>(i);  // ln(10000)
      const float frequency = std::exp(exponent / (static_cast<float>(half) - attrs.frequency_shift));
      const float angle = timesteps[b] * frequency;
      output.set(b * attrs.channels + cosines + i, std::cos(angle));
      output.set(b * attrs.channels + sines + i, std::sin(angle));
    }
    if (attrs.channels % 2 != 0) output.set(b * attrs.channels + attrs.channels - 1, 0);
  }
}

}  // namespace snug::reference
