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
  const int64_t conditioning =
      4 * request.model_batch() * run.chunks() * model.text.positions * model.text.hidden_size;
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
  const int64_t encoding = pixels * (3 + encoder_bytes_per_pixel(request.format)) +
                           (request.output.empty() ? request.batch : 1) * pixels * 3;
  // A dump has copies of all that it writes, and the file in memory, which grew by doubling.
  const int64_t dump = request.dump.empty() ? 0 : 3 * (trace + images + request.batch * pixels * 3);
  return static_cast<uint64_t>(kept + std::max(denoising, images + std::max(encoding, dump)));
}

}  // namespace snug
