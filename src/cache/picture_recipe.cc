#include "cache/picture_recipe.h"

#include <span>

#include <fmt/format.h>

#include "backend/cpu/isa.h"
#include "base/version.h"
#include "pipeline/added_numbers.h"
#include "tensor/host_tensor.h"

namespace snug {
namespace {

// Lengths in front keep two neighbours from passing for one.
void add(std::string& recipe, std::string_view what, std::string_view text) {
  recipe += fmt::format("{} {}:", what, text.size());
  recipe += text;
  recipe += '\n';
}

void add(std::string& recipe, std::string_view what, const HostTensor& tensor) {
  if (tensor.empty()) return;
  const auto bytes = tensor.bytes();
  add(recipe, what, tensor.shape().text());
  add(recipe, what, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string name_of(const std::shared_ptr<const ByteSource>& source) {
  return source == nullptr ? std::string() : source->name();
}

// The metadata repeats what was stated, whether or not it is the default.
void add_clip(std::string& recipe, const Request& request, const RequestFields& fields) {
  add(recipe, "clip",
      fmt::format("{} {:a} {:a} {} {}", request.frames, request.frames_per_second, request.guidance_scale_2,
                  fields.frames.has_value(), fields.frames_per_second.has_value()));
  add(recipe, "shift", fmt::format("{:a} {}", request.sampler.flow_shift, fields.flow_shift.has_value()));
  add(recipe, "last image named", name_of(fields.last_image));
}

}  // namespace

std::string picture_recipe(const Request& request, const RequestFields& fields, const Model& model,
                           const Backend& backend, size_t index) {
  const RequestPicture& picture = request.pictures.at(index);
  std::string recipe;
  // Kernels of another instruction set sum up in another order.
  add(recipe, "program", fmt::format("{} {} {}", kVersion, backend.name(), isa_name(used_isa())));
  add(recipe, "model", model.identity);
  add(recipe, "scheduler", model.description.scheduler.text);
  add(recipe, "sampler", request.sampler_name);
  add(recipe, "prompt", picture.prompt);
  add(recipe, "negative prompt", picture.negative_prompt);
  // Said where they say something, so that what other models have made is found again.
  if (picture.zero_negative) add(recipe, "negative prompt", "zeros");
  if (picture.prompt_2 != picture.prompt) add(recipe, "second prompt", picture.prompt_2);
  if (picture.negative_prompt_2 != picture.negative_prompt)
    add(recipe, "second negative prompt", picture.negative_prompt_2);
  if (const std::string numbers = stated_numbers(request); !numbers.empty()) add(recipe, "sizes", numbers);
  if (request.denoising_end.has_value() || request.denoising_start.has_value()) {
    add(recipe, "part",
        fmt::format("{:a} {:a}", request.denoising_start.value_or(0), request.denoising_end.value_or(1)));
  }
  // Seed and place in the batch are in the file's metadata, too.
  add(recipe, "numbers",
      fmt::format("{} {} {} {}x{} {} {:a} {} {} {:a} {}", picture.seed, picture.index, picture.batch,
                  request.width, request.height, request.steps, request.guidance_scale, request.clip_skip,
                  dtype_info(request.precision).name, request.strength,
                  request.long_prompt == LongPrompt::kTruncate));
  const std::string_view format =
      request.is_clip ? format_name(request.video_format) : format_name(request.format);
  add(recipe, "file", fmt::format("{} {}", format, request.quality.value_or(0)));
  if (request.is_clip) add_clip(recipe, request, fields);
  // The metadata names what the picture was made from.
  add(recipe, "named",
      fmt::format("{}|{}|{}|{}|{}", fields.vae, fmt::join(fields.loras, "|"), name_of(fields.image),
                  name_of(fields.mask), name_of(fields.latents)));
  add(recipe, "image", request.image);
  add(recipe, "last image", request.last_image);
  add(recipe, "mask", request.mask);
  // Noise that was given is the whole batch's.
  add(recipe, "latents", request.latents);
  return recipe;
}

}  // namespace snug
