#include "pipeline/start_latents.h"

#include <algorithm>
#include <cmath>

#include "models/model_graphs.h"
#include "pipeline/request_picture.h"

namespace snug {
namespace {

// The bounds that diffusers' DiagonalGaussianDistribution sets.
constexpr float kLogVarianceLimitLow = -30;
constexpr float kLogVarianceLimitHigh = 20;

// Scaled latents of the picture, one sample for each picture of the batch.
HostTensor encode_image(const PlannedRun& run, const Request& request, const Model& model, NoiseSource& noise,
                        Executor& executor, const Shape& latents_shape) {
  const ModelDescription& description = model.description;
  const Phase& encode = run.plan.phase(phase::kEncodeImage);
  executor.begin(encode);
  executor.set_input(encode, "image", request.image.floats());
  executor.run(encode);
  const auto one = static_cast<size_t>(latents_shape.elements() / latents_shape[0]);
  HostTensor latents(DType::kF32, latents_shape);
  if (encoder_output(description) == EncoderOutput::kLatents) {
    std::vector<float> encoded(one);
    executor.read_output(encode, "latents", encoded);
    for (size_t i = 0; i < latents.floats().size(); ++i)
      latents.floats()[i] = encoded[i % one] * description.scaling_factor;
    return latents;
  }
  std::vector<float> moments(2 * one);
  executor.read_output(encode, "moments", moments);
  noise.draw(latents.floats());
  for (size_t i = 0; i < latents.floats().size(); ++i) {
    const float log_variance =
        std::clamp(moments[one + i % one], kLogVarianceLimitLow, kLogVarianceLimitHigh);
    const float sample = moments[i % one] + std::exp(0.5F * log_variance) * latents.floats()[i];
    latents.floats()[i] = sample * description.scaling_factor;
  }
  return latents;
}

}  // namespace

StartLatents start_latents(const PlannedRun& run, const Request& request, const Model& model,
                           NoiseSource& noise, Executor& executor) {
  const ModelDescription& description = model.description;
  const int64_t height = request.height / description.latent_factor;
  const int64_t width = request.width / description.latent_factor;
  const Shape shape{request.batch, description.latent_channels, height, width};
  StartLatents start;
  if (!request.image.empty()) start.image_latents = encode_image(run, request, model, noise, executor, shape);
  if (request.latents.empty()) {
    start.noise = HostTensor(DType::kF32, shape);
    noise.draw(start.noise.floats());
  } else {
    start.noise = request.latents;
  }
  if (!request.mask.empty()) {
    start.keep_mask = latent_mask(request.mask, height, width);
    if (encoder_output(description) == EncoderOutput::kMoments) {
      std::vector<float> unused(static_cast<size_t>(shape.elements()));
      noise.draw(unused);
    }
  }
  // What another model began brings its noise along.
  if (request.denoising_start.has_value()) {
    start.latents = request.image.empty() ? start.noise : start.image_latents;
    return start;
  }
  // Full strength starts from noise alone, as inpainting pipelines do; less lets the picture show through.
  if (!request.image.empty() && (request.mask.empty() || request.strength < 1)) {
    start.latents = start.image_latents;
    run.sampler->add_noise(run.first_call, start.noise.floats(), start.latents.floats());
  } else {
    start.latents = start.noise;
    for (float& value : start.latents.floats()) value *= run.sampler->init_noise_sigma();
  }
  return start;
}

}  // namespace snug
