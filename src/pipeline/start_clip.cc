#include "pipeline/start_clip.h"

#include <algorithm>

#include "pipeline/clip_phases.h"
#include "pipeline/latents_shape.h"

namespace snug {
namespace {

// Copies a picture [1,3,H,W] to a frame of a clip [1,3,T,H,W].
void put_frame(const HostTensor& picture, int64_t frame, HostTensor& clip) {
  const int64_t pixels = clip.shape()[3] * clip.shape()[4];
  for (int64_t c = 0; c < clip.shape()[1]; ++c) {
    std::copy_n(picture.floats().begin() + c * pixels, pixels,
                clip.floats().begin() + (c * clip.shape()[2] + frame) * pixels);
  }
}

// The means of what the encoder makes of the given pictures with nothing between and behind them, normalised:
// [1,z,t,h,w].
HostTensor encode_pictures(const PlannedRun& run, const Request& request, const VideoModel& video,
                           Shape latents, Executor& executor) {
  const int64_t frames = encoded_frames(request, video);
  latents.set(2, video.latent_frames(frames));
  const Phase& encode = run.plan.phase(phase::kEncodeImage);
  executor.begin(encode);
  {
    HostTensor clip(DType::kF32, Shape{1, 3, frames, request.height, request.width});
    put_frame(request.image, 0, clip);
    if (!request.last_image.empty()) put_frame(request.last_image, frames - 1, clip);
    executor.set_input(encode, "clip", clip.floats());
  }
  executor.run(encode);
  HostTensor means(DType::kF32, latents);
  std::vector<float> moments(2 * means.floats().size());
  executor.read_output(encode, "moments", moments);
  const auto of_channel = static_cast<size_t>(means.elements() / video.vae.latent_channels);
  for (size_t i = 0; i < means.floats().size(); ++i) {
    const size_t channel = i / of_channel;
    means.floats()[i] = (moments[i] - video.vae.latents_mean[channel]) / video.vae.latents_std[channel];
  }
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
