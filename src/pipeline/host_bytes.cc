#include "pipeline/host_bytes.h"

#include <algorithm>

#include "media/video_writer.h"
#include "pipeline/latents_shape.h"

namespace snug {
namespace {

// PNG works on rows, but its output may grow by doubling; JPEG keeps the coefficients of all colours, WebP
// the picture as ARGB and YUV.
int64_t encoder_bytes_per_pixel(PictureFormat format) { return format == PictureFormat::kPng ? 3 : 6; }

// The factors of one tensor's updates, as it is read.
uint64_t update_room_bytes(const ModelDescription& model) {
  uint64_t room = model.unet_weights->update_room_bytes();
  for (const TextEncoder& encoder : model.text_encoders) {
    room = std::max(room, encoder.weights->update_room_bytes());
  }
  if (model.video) {
    for (const auto& expert : model.video->experts) room = std::max(room, expert->update_room_bytes());
  }
  return room;
}

// Of a clip: what it is told, its latents in their forms, a frame, and the encoder of the file.
uint64_t clip_host_bytes(const Request& request, const ModelDescription& model, const PlannedRun& run) {
  const VideoModel& video = *model.video;
  const int64_t pixels = request.width * request.height;
  const int64_t elements = latents_shape(request, model).elements();
  const int64_t halves = request.guided() ? 2 : 1;
  const int64_t beside =
      elements / video.vae.latent_channels * (video.transformer.in_channels - video.transformer.out_channels);
  const bool pictured = !request.image.empty();
  // A given picture with as many zeros, and a part of the moments that the encoder makes of it.
  const int64_t encoding = pictured ? 2 * 3 * pixels + 2 * elements : 0;
  const int64_t text = halves * video.text_length * video.text.channels;
  const int64_t trace = request.dump.empty() ? 0 : (run.calls() + 1) * elements;
  const int64_t kept = text + elements + beside + trace + (pictured ? elements : 0);
  // A checkpoint is a copy of the latents and of what the sampler remembers.
  const int64_t checkpoint = elements + (run.sampler->memory_bytes(elements) + 3) / 4;
  const int64_t denoising = (2 + 2 * halves) * elements + halves * beside + checkpoint;
  const int64_t frames = 2 * 3 * pixels + elements;  // as floats, and as bytes; normalised latents
  const int64_t floats = kept + std::max({encoding, denoising, frames});
  // Nothing of a clip is kept but its file, which is held where it goes nowhere.
  const uint64_t file = request.output.empty() ? static_cast<uint64_t>(pixels * request.frames) : 0;
  return update_room_bytes(model) + static_cast<uint64_t>(4 * floats + run.sampler->memory_bytes(elements)) +
         file + video_encoder_bytes(request.video_format, request.width, request.height, request.quality);
}

}  // namespace

uint64_t host_bytes(const Request& request, const ModelDescription& model, const PlannedRun& run) {
  if (model.video) return clip_host_bytes(request, model, run);
  const int64_t pixels = request.width * request.height;
  const int64_t elements =
      request.batch * model.latent_channels * pixels / (model.latent_factor * model.latent_factor);
  const int64_t latents = 4 * elements;
  const int64_t halves = request.guided() ? 2 : 1;
  const int64_t rows = run.chunks() * model.text_positions();
  const int64_t text = 4 * (rows * model.text_channels() + model.pooled_channels());  // of one prompt's side
  const int64_t conditioning = request.model_batch() * text;
  // What each prompt gave, one encoder's states on their way there, and the rows of which a vector is one.
  const auto prompts = static_cast<int64_t>(run.prompts.size());
  const int64_t encoding = halves * (prompts + 1) * text + 4 * halves * rows * model.pooled_channels();
  // Held from here to the end: the conditioning, the sampler's history, latents, and what a dump records.
  const int64_t trace = request.dump.empty() ? 0 : (run.calls() + 1) * latents;
  const int64_t kept = conditioning + run.sampler->memory_bytes(elements) + latents + trace;
  // Start noise, the model's input and output, what previews show; the picture's latents; the latents outside
  // a mask.
  const int64_t denoising =
      (2 + 2 * halves + (request.image.empty() ? 0 : 1) + (request.mask.empty() ? 0 : 1)) * latents;
  // Pictures as floats; one of them as bytes and in its encoder; all that are kept in memory, encoded, none
  // larger than its bytes.
  const int64_t images = request.batch * pixels * 3 * 4;
  const int64_t writing = pixels * (3 + encoder_bytes_per_pixel(request.format)) +
                          (request.output.empty() ? request.batch : 1) * pixels * 3;
  // A dump has copies of all that it writes, and the file in memory, which grew by doubling.
  const int64_t dump = request.dump.empty() ? 0 : 3 * (trace + images + request.batch * pixels * 3);
  return update_room_bytes(model) +
         static_cast<uint64_t>(kept + std::max({encoding, denoising, images + std::max(writing, dump)}));
}

}  // namespace snug
