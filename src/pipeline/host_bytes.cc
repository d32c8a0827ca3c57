#include "pipeline/host_bytes.h"

#include <algorithm>

namespace snug {
namespace {

// PNG works on rows, but its output may grow by doubling; JPEG keeps the coefficients of all colours, WebP
// the picture as ARGB and YUV.
int64_t encoder_bytes_per_pixel(PictureFormat format) { return format == PictureFormat::kPng ? 3 : 6; }

}  // namespace

uint64_t host_bytes(const Request& request, const ModelDescription& model, const PlannedRun& run) {
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
  // The factors of one tensor's updates, as it is read.
  uint64_t room = model.unet_weights->update_room_bytes();
  for (const TextEncoder& encoder : model.text_encoders) {
    room = std::max(room, encoder.weights->update_room_bytes());
  }
  const auto updates = static_cast<int64_t>(room);
  const int64_t kept = updates + conditioning + run.sampler->memory_bytes(elements) + latents + trace;
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
  return static_cast<uint64_t>(kept + std::max({encoding, denoising, images + std::max(writing, dump)}));
}

}  // namespace snug
