// What is asked for: RequestFields as the command line or the server fill them, everything optional; Request
// after validate_request, where every field has a value that the model can do. Nothing is checked again
// later.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "media/picture_format.h"
#include "media/video_format.h"
#include "sampling/sampler_list.h"
#include "tensor/host_tensor.h"
#include "text/prompt_chunks.h"

namespace snug {

// Height and width, or top and left, in pixels.
using SizePair = std::array<int64_t, 2>;

// What SDXL is told of the picture beside the prompt (added_numbers.h).
struct SizeConditioning {
  std::optional<SizePair> original_size, crop_top_left, target_size;
  std::optional<double> aesthetic_score;
};

// One picture of several that run together, each with a prompt of its own.
struct PictureFields {
  std::string prompt;
  std::optional<std::string> negative_prompt;
  uint64_t seed = 0;  // its own
  // Where it stands in the batch that was asked for, for its metadata.
  int64_t index = 0, batch = 1;
  std::optional<std::string> prompt_2 = {}, negative_prompt_2 = {};
};

struct RequestFields {
  std::string model;               // folder or single file; empty: the embedded model
  std::string model_alias;         // shown in its place, where paths are nobody's business; empty: the path
  std::string manifest;            // in place of `model`, for planning alone (weights/manifest_checkpoint.h)
  std::string vae;                 // another decoder and encoder; empty: the model's own
  std::string tokenizer;           // folder with the tokenizer, for single files
  std::string config;              // folder with the configuration, for single files
  std::vector<std::string> loras;  // "name:0.8" (model_loras.h); prompts may name more
  std::string lora_folder;         // where their names are looked up; empty: nowhere
  bool lora_files = false;         // `loras` may be paths: those of who runs the program, nobody else's

  std::string prompt;
  // None is not the same as an empty one where a model takes zeros for it, as SDXL does.
  std::optional<std::string> negative_prompt;
  // Of a model's second text encoder; default: the prompts above.
  std::optional<std::string> prompt_2, negative_prompt_2;
  // In place of prompt, negative_prompt, batch and seed: pictures that have nothing else in which they
  // differ.
  std::vector<PictureFields> pictures;
  std::optional<int64_t> width, height;  // pixels; default: the picture's, or the model's native size
  // Of a video model: the clip's frames, and how many are shown a second; default: the model's.
  std::optional<int64_t> frames;
  std::optional<double> frames_per_second;
  // Of the second of two experts; default: guidance_scale where that is stated, else the model's.
  std::optional<double> guidance_scale_2;
  // Of a flow model: how far its noise levels are moved towards noise; default: the model's.
  std::optional<double> flow_shift;
  std::optional<int64_t> steps;
  std::optional<int64_t> batch;        // pictures, with seeds seed, seed + 1, ...
  std::optional<int64_t> only_index;   // write this picture of the batch alone (--from a picture of a batch)
  std::string preset;                  // a name of presets.h: steps, size and sampler that are not stated
  std::optional<double> time_seconds;  // best quality whose predicted time fits (fit_time.h)
  std::optional<double> guidance_scale;
  std::optional<uint64_t> seed;
  std::optional<std::string> sampler;    // any name that sampler_list knows
  std::optional<std::string> schedule;   // "karras", "exponential", ...; default: the sampler's
  std::optional<int64_t> clip_skip;      // as A1111 counts: 1 is the last layer
  std::optional<std::string> precision;  // "auto", "f32", "bf16"
  std::optional<std::string> memory;     // "700MiB": most that the process may hold; default: what is free
  std::vector<std::string> allow;        // "precision", "size": what may change so that the budget is kept
  bool direct_reads = false;             // read weights past the system's page cache
  bool keep_weights = false;             // in memory after the run, where the budget has room: for a server
  std::string scratch_folder;            // for activations that do not fit; empty: $TMPDIR or /var/tmp
  bool truncate_prompt = false;          // drop what is beyond one chunk instead of adding chunks

  // Of models that are told sizes: [height, width] and [top, left]; default: the picture's, whole. What is
  // not stated for the negative prompt is that of the prompt.
  std::optional<SizePair> original_size, crops_coords_top_left, target_size;
  std::optional<SizePair> negative_original_size, negative_crops_coords_top_left, negative_target_size;
  std::optional<double> aesthetic_score, negative_aesthetic_score;  // of SDXL's refiner
  // 0..1 of the training's noise levels: stop there, with noise left for another model; or go on from there
  // with the latents or the picture that are given.
  std::optional<double> denoising_end, denoising_start;

  std::shared_ptr<const ByteSource> image;       // start picture
  std::shared_ptr<const ByteSource> last_image;  // of a clip: its last frame; needs `image`
  std::shared_ptr<const ByteSource> mask;        // white is repainted; needs `image`
  std::optional<double> strength;                // 0..1, how much of `image` is replaced
  // Safetensors with "init_latents" or "latents", unit normal; with denoising_start the last of "latents",
  // as another run's dump has them.
  std::shared_ptr<const ByteSource> latents;

  std::string output;                 // path; empty: the pictures are only returned
  std::optional<std::string> format;  // "png", "jpeg", "webp"; default: by the path, else png
  std::optional<int> quality;
  std::string dump;  // path of a safetensors file with what happened; empty: none
};

// One picture of a request. What its file says of it is what makes it again, alone or in its batch.
struct RequestPicture {
  std::string prompt, negative_prompt;
  uint64_t seed = 0;  // of its noise
  int64_t index = 0;  // in the batch that was asked for, whose first seed was seed - index
  int64_t batch = 1;
  std::string prompt_2, negative_prompt_2;  // of a second text encoder; the same where nothing else is said
  bool zero_negative = false;               // zeros in place of the negative prompt, which is empty then

  // The fields that ask for it.
  PictureFields fields() const {
    PictureFields asked{prompt, std::nullopt, seed, index, batch, std::nullopt, std::nullopt};
    if (!zero_negative) asked.negative_prompt = negative_prompt;
    if (prompt_2 != prompt) asked.prompt_2 = prompt_2;
    if (negative_prompt_2 != negative_prompt) asked.negative_prompt_2 = negative_prompt_2;
    return asked;
  }
};

// As requests name it: "bf16", "f32".
inline std::string precision_name(DType precision) { return precision == DType::kBF16 ? "bf16" : "f32"; }

struct Request {
  std::string model_name;
  std::vector<RequestPicture> pictures;  // `batch` of them
  int64_t width = 0, height = 0;         // pixels
  int64_t steps = 0;
  int64_t batch = 1;
  int64_t frames = 1;             // of a clip; a picture is one
  double frames_per_second = 16;  // of a clip
  bool is_clip = false;
  double guidance_scale = 1;
  double guidance_scale_2 = 1;  // of a second expert
  SamplerConfig sampler;
  std::string sampler_name;   // canonical
  std::string sampler_label;  // as A1111 shows it
  int64_t clip_skip = 1;
  DType precision = DType::kF32;
  bool auto_precision = false;   // left to choose_precision.h
  std::string precision_reason;  // why it chose as it did; empty when the user chose
  std::optional<uint64_t> memory_bytes;
  bool allow_precision = false, allow_size = false;
  bool keep_weights = false;
  std::string scratch_folder;
  LongPrompt long_prompt = LongPrompt::kChunk;

  HostTensor image;       // [1,3,H,W] in [-1,1]; empty without one
  HostTensor last_image;  // as `image`, of a clip
  HostTensor mask;        // [1,1,H,W] of 0 and 1; empty without one
  double strength = 1;
  HostTensor latents;  // [batch,C,h,w]; empty without one
  SizeConditioning sizes, negative_sizes;
  std::optional<double> denoising_end, denoising_start;

  std::optional<int64_t> only_index;  // 0 .. batch - 1
  std::string output;
  PictureFormat format = PictureFormat::kPng;
  VideoFormat video_format = VideoFormat::kMp4;  // of a clip
  std::optional<int> quality;
  std::string dump;

  bool guided() const { return guidance_scale > 1; }
  // Pictures in one model call, the negative prompt's half included.
  int64_t model_batch() const { return guided() ? 2 * batch : batch; }
};

}  // namespace snug
