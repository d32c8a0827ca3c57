#include "pipeline/start_clip.h"

#include <algorithm>
#include <span>

#include "pipeline/clip_phases.h"
#include "pipeline/latents_shape.h"

namespace snug {
namespace {

// A picture's channels, each with one of zeros behind it (models/autoencoder_wan/given_pictures.h).
std::vector<float> with_zeros(const HostTensor& picture) {
  const auto pixels = static_cast<size_t>(picture.shape()[2] * picture.shape()[3]);
  std::vector<float> pairs(2 * picture.floats().size(), 0.0F);
  for (size_t c = 0; c < picture.floats().size() / pixels; ++c) {
    std::copy_n(picture.floats().begin() + static_cast<ptrdiff_t>(c * pixels), pixels,
                pairs.begin() + static_cast<ptrdiff_t>(2 * c * pixels));
  }
  return pairs;
}

// The means of what the encoder makes of the given pictures with nothing between and behind them, normalised:
// [1,z,t,h,w].
HostTensor encode_pictures(const PlannedRun& run, const Request& request, const VideoModel& video,
                           Shape latents, Executor& executor) {
  const int64_t frames = encoded_frames(request, video);
  latents.set(2, video.latent_frames(frames));
  const Phase& encode = run.plan.phase(phase::kEncodeImage);
  executor.begin(encode);
  if (frames == 1) {
    executor.set_input(encode, "clip", request.image.floats());
  } else {
    executor.set_input(encode, "picture_and_zeros", with_zeros(request.image));
    if (!request.last_image.empty()) executor.set_input(encode, "last", request.last_image.floats());
  }
  HostTensor means(DType::kF32, latents);
  const std::vector<float>& mean = video.vae.latents_mean;
  const std::vector<float>& std = video.vae.latents_std;
  const auto channels = static_cast<size_t>(video.vae.latent_channels);
  const size_t of_channel = means.floats().size() / channels;
  executor.run_streamed(encode, [&](const OutputPart& part) {
    // Of each pixel the means, then as many variances.
    for (int64_t p = part.pixels.begin; p < part.pixels.end; ++p) {
      const std::span<const float> moments =
          part.values.subspan(static_cast<size_t>(p - part.pixels.begin) * 2 * channels, channels);
      for (size_t c = 0; c < channels; ++c) {
        means.floats()[c * of_channel + static_cast<size_t>(p)] = (moments[c] - mean[c]) / std[c];
      }
    }
  });
  return means;
}

// What stands beside the latents: a mask, 1 where a frame is given, a channel for each frame that a latent
// frame stands for (of the first, all); then the encoded pictures. [C',t,h,w]
std::vector<float> beside_latents(const Request& request, const VideoModel& video,
                                  const HostTensor& pictures) {
  const int64_t steps = video.frame_step(), frames = pictures.shape()[2];
  const int64_t place = pictures.shape()[3] * pictures.shape()[4];
  std::vector<float> beside(static_cast<size_t>(steps * frames * place), 0.0F);
  const auto give = [&](int64_t channel, int64_t frame) {
    std::fill_n(beside.begin() + (channel * frames + frame) * place, place, 1.0F);
  };
  for (int64_t channel = 0; channel < steps; ++channel) give(channel, 0);
  if (!request.last_image.empty()) give(steps - 1, frames - 1);
  beside.insert(beside.end(), pictures.floats().begin(), pictures.floats().end());
  return beside;
}

}  // namespace

StartLatents start_clip(const PlannedRun& run, const Request& request, const Model& model, NoiseSource& noise,
                        Executor& executor) {
  const VideoModel& video = *model.description.video;
  const Shape shape = latents_shape(request, model.description);
  StartLatents start;
  if (request.latents.empty()) {
    start.noise = HostTensor(DType::kF32, shape);
    noise.draw(start.noise.floats());
  } else {
    start.noise = request.latents;
  }
  if (!request.image.empty()) {
    HostTensor pictures = encode_pictures(run, request, video, shape, executor);
    if (video.first_frame_has_time) {
      start.first_frame = std::move(pictures);
    } else {
      start.beside = beside_latents(request, video, pictures);
    }
  }
  start.latents = start.noise;
  for (float& value : start.latents.floats()) value *= run.sampler->init_noise_sigma();
  return start;
}

}  // namespace snug
