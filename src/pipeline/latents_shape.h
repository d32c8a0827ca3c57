// The shape of a request's latents.
#pragma once

#include "models/describe_model.h"
#include "pipeline/request.h"

namespace snug {

// [batch,C,h,w] of pictures, [1,C,t,h,w] of a clip.
inline Shape latents_shape(const Request& request, const ModelDescription& model) {
  const int64_t height = request.height / model.latent_factor, width = request.width / model.latent_factor;
  if (!model.video) return {request.batch, model.latent_channels, height, width};
  return {1, model.latent_channels, model.video->latent_frames(request.frames), height, width};
}

}  // namespace snug
