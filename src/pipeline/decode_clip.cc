#include "pipeline/decode_clip.h"

#include <algorithm>
#include <cmath>

namespace snug {
namespace {

// [-1, 1] → 0..255, halves to even as in tensor_to_picture.
uint8_t sample_of(float value) {
  const float unit = std::clamp(value / 2 + 0.5F, 0.0F, 1.0F);
  return static_cast<uint8_t>(std::nearbyint(255.0F * unit));
}

// Latents as they were before they were normalised.
HostTensor denormalised(const HostTensor& latents, const AutoencoderWanConfig& vae) {
  HostTensor z = latents;
  const auto of_channel = static_cast<size_t>(z.elements() / vae.latent_channels);
  for (size_t i = 0; i < z.floats().size(); ++i) {
    const size_t channel = i / of_channel;
    z.floats()[i] = z.floats()[i] * vae.latents_std[channel] + vae.latents_mean[channel];
  }
  return z;
}

}  // namespace

void decode_clip(const PlannedRun& run, const Request& request, const Model& model, const HostTensor& latents,
                 Executor& executor, const std::function<void(const Picture& frame, int64_t number)>& take) {
  const Phase& decode = run.plan.phase(phase::kDecode);
  executor.begin(decode);
  executor.set_input(decode, "latents", denormalised(latents, model.description.video->vae).floats());
  const auto frame_samples = static_cast<size_t>(3 * request.width * request.height);
  Picture frame;
  frame.width = request.width;
  frame.height = request.height;
  frame.rgb.reserve(frame_samples);
  int64_t number = 0;
  executor.run_streamed(decode, [&](const OutputPart& part) {
    for (const float value : part.values) {
      frame.rgb.push_back(sample_of(value));
      if (frame.rgb.size() < frame_samples) continue;
      take(frame, number++);
      frame.rgb.clear();
    }
  });
}

}  // namespace snug
