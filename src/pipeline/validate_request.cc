#include "pipeline/validate_request.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"
#include "media/atomic_file.h"
#include "media/decode_picture.h"
#include "pipeline/request_picture.h"
#include "weights/safetensors.h"

namespace snug {
namespace {

constexpr int64_t kMaxEdgePx = 16384;
constexpr int64_t kMaxBatch = 256;
constexpr int64_t kMaxSteps = 1000;
constexpr double kMaxGuidanceScale = 1000;

Error invalid(std::string problem, std::string fix) {
  return Error(ErrorCode::kInvalidArgument, std::move(problem), std::move(fix));
}

template <typename T>
T within(std::string_view field, T value, T least, T most) {
  if (!(value >= least && value <= most)) {
    throw invalid(fmt::format("{} is {}", field, value),
                  fmt::format("give a value from {} to {}", least, most));
  }
  return value;
}

int64_t checked_edge(std::string_view field, int64_t pixels, int64_t factor) {
  if (pixels < factor || pixels > kMaxEdgePx) {
    throw invalid(fmt::format("{} is {} pixels", field, pixels),
                  fmt::format("give a multiple of {} from {} to {}", factor, factor, kMaxEdgePx));
  }
  if (pixels % factor != 0) {
    const int64_t below = pixels / factor * factor;
    throw invalid(
        fmt::format("{} is {} pixels, which the model's factor {} does not divide", field, pixels, factor),
        fmt::format("use {} or {}", below, below + factor));
  }
  return pixels;
}

void set_sampler(const RequestFields& fields, const Model& model, Request& request) {
  const std::string wanted = fields.sampler.value_or(model.recommended.sampler);
  SamplerChoice choice = find_sampler(wanted);
  if (fields.schedule.has_value()) {
    const auto schedules = schedule_list();
    const auto found = std::find_if(schedules.begin(), schedules.end(),
                                    [&](const ScheduleInfo& s) { return s.name == *fields.schedule; });
    if (found == schedules.end()) {
      std::string names;
      for (const ScheduleInfo& s : schedules) names += (names.empty() ? "" : ", ") + std::string(s.name);
      throw invalid(fmt::format("there is no schedule '{}'", *fields.schedule), "use one of " + names);
    }
    choice.schedule = found->schedule;
  }
  const ConfigText& scheduler = model.description.scheduler;
  try {
    request.sampler = scheduler.text.empty() ? stable_diffusion_config(
                                                   choice, model.description.prediction_type == "v_prediction"
                                                               ? PredictionType::kV
                                                               : PredictionType::kEpsilon)
                                             : parse_scheduler_config(scheduler.text, choice);
  } catch (Error& error) {
    if (!scheduler.text.empty()) error.in_file(scheduler.file);
    throw;
  }
  request.sampler_name = sampler_name(choice);
  request.sampler_label = choice.sampler->a1111_label;
  const auto sampler = make_sampler(request.sampler, static_cast<int>(request.steps));
  if (sampler->first_call(request.strength) >= sampler->calls()) {
    throw invalid(
        fmt::format("strength {:g} of {} steps leaves no step to do", request.strength, request.steps),
        "raise --strength or --steps");
  }
}

DType chosen_precision(const std::string& name, const Backend& backend) {
  const std::vector<DType> available = backend.precisions();
  if (name == "auto") return available.front();  // until settle_precision knows better
  const DType wanted = name == "bf16" ? DType::kBF16 : DType::kF32;
  if (name != "bf16" && name != "f32")
    throw invalid(fmt::format("there is no precision '{}'", name), "use auto, f32 or bf16");
  if (std::find(available.begin(), available.end(), wanted) == available.end()) {
    throw Error(ErrorCode::kUnsupported, fmt::format("this machine does not compute in {}", name),
                "use --precision f32");
  }
  return wanted;
}

// Start latents from a file, [batch,C,h,w].
HostTensor read_latents(const ByteSource& source, const Shape& wanted) {
  const SafetensorsIndex index = read_safetensors_index(source);
  const StoredTensor* tensor = index.find("init_latents");
  if (tensor == nullptr) tensor = index.find("latents");
  if (tensor == nullptr && index.tensors.size() == 1) tensor = index.tensors.data();
  if (tensor == nullptr) {
    throw Error(ErrorCode::kMissingTensor, "has no tensor init_latents or latents", "name the tensor so")
        .in_file(source.name());
  }
  HostTensor latents = read_host_tensor(source, *tensor);
  if (!(latents.shape() == wanted)) {
    throw Error(ErrorCode::kShapeMismatch,
                fmt::format("has shape {}, this request needs {}", latents.shape().text(), wanted.text()),
                "give latents of the picture's size and batch")
        .in_file(source.name())
        .in_tensor(tensor->name);
  }
  return latents.to_f32();
}

void set_budget(const RequestFields& fields, Request& request) {
  if (fields.memory.has_value()) request.memory_bytes = parse_bytes(*fields.memory, "--memory");
  request.scratch_folder = fields.scratch_folder;
  request.keep_weights = fields.keep_weights;
  for (const std::string& measure : fields.allow) {
    if (measure == "precision") {
      request.allow_precision = true;
    } else if (measure == "size") {
      request.allow_size = true;
    } else if (measure != "steps") {
      // Fewer steps take less time and no less memory: allowed, and never needed for a budget of memory.
      throw invalid(fmt::format("--allow has '{}'", measure), "give any of precision, steps, size");
    }
  }
}

void set_output(const RequestFields& fields, Request& request) {
  request.output = fields.output;
  request.quality = fields.quality;
  request.dump = fields.dump;
  request.format = PictureFormat::kPng;
  if (fields.format.has_value()) {
    request.format = format_from_name("picture." + *fields.format);
  } else if (!fields.output.empty()) {
    request.format = format_from_name(fields.output);
  }
  if (fields.quality.has_value()) within<int64_t>("quality", *fields.quality, 1, 100);
  if (!request.output.empty()) check_output_path(request.output);
  if (!request.dump.empty()) check_output_path(request.dump);
}

void set_pictures(const RequestFields& fields, const std::optional<Picture>& picture, Request& request) {
  if (fields.mask != nullptr && fields.image == nullptr) {
    throw invalid("a mask needs a picture to repaint", "give --image as well");
  }
  if (fields.strength.has_value() && fields.image == nullptr) {
    throw invalid("strength says how much of a picture is replaced, and there is none",
                  "give --image as well");
  }
  request.strength =
      within("strength", fields.strength.value_or(fields.image != nullptr ? 0.8 : 1.0), 0.0, 1.0);
  if (!picture.has_value()) return;
  request.image = request_image(*picture, request.width, request.height);
  if (fields.mask != nullptr)
    request.mask = request_mask(decode_picture(*fields.mask), request.width, request.height);
}

// The stated size, else the picture's rounded to what the model can do, else the model's own.
void set_size(const RequestFields& fields, const Model& model, const std::optional<Picture>& picture,
              Request& request) {
  const int64_t factor = model.description.latent_factor;
  int64_t width = model.description.native_size_px;
  int64_t height = width;
  if (picture.has_value()) {
    width = std::max(factor, (picture->width + factor / 2) / factor * factor);
    height = std::max(factor, (picture->height + factor / 2) / factor * factor);
  }
  request.width = checked_edge("width", fields.width.value_or(width), factor);
  request.height = checked_edge("height", fields.height.value_or(height), factor);
}

// The pictures of the batch, with seeds seed, seed + 1, ...
void set_batch(const RequestFields& fields, Request& request) {
  if (!fields.pictures.empty()) {
    request.batch = within<int64_t>("batch", static_cast<int64_t>(fields.pictures.size()), 1, kMaxBatch);
    for (const PictureFields& picture : fields.pictures) {
      request.pictures.push_back(
          {picture.prompt, picture.negative_prompt, picture.seed, picture.index, picture.batch});
    }
    return;
  }
  request.batch = within<int64_t>("batch", fields.batch.value_or(1), 1, kMaxBatch);
  const uint64_t seed = fields.seed.has_value() ? *fields.seed : std::random_device{}();
  for (int64_t i = 0; i < request.batch; ++i) {
    request.pictures.push_back(
        {fields.prompt, fields.negative_prompt, seed + static_cast<uint64_t>(i), i, request.batch});
  }
  if (fields.only_index.has_value()) {
    request.only_index = within<int64_t>("picture index", *fields.only_index, 0, request.batch - 1);
  }
}

}  // namespace

Request validate_request(const RequestFields& fields, const Model& model, const Backend& backend) {
  Request request;
  request.model_name = model.name;
  request.long_prompt = fields.truncate_prompt ? LongPrompt::kTruncate : LongPrompt::kChunk;
  std::optional<Picture> picture;
  if (fields.image != nullptr) picture = decode_picture(*fields.image);
  set_size(fields, model, picture, request);
  request.steps = within<int64_t>("steps", fields.steps.value_or(model.recommended.steps), 1, kMaxSteps);
  set_batch(fields, request);
  request.guidance_scale =
      within("guidance scale", fields.guidance_scale.value_or(model.recommended.guidance_scale), 0.0,
             kMaxGuidanceScale);
  request.clip_skip =
      within<int64_t>("clip skip", fields.clip_skip.value_or(1), 1, model.description.text.layers);
  request.precision = chosen_precision(fields.precision.value_or("f32"), backend);
  request.auto_precision = fields.precision == "auto";
  set_pictures(fields, picture, request);
  set_sampler(fields, model, request);
  if (fields.latents != nullptr) {
    if (fields.image != nullptr)
      throw invalid("start latents and a start picture exclude each other", "give one of them");
    const int64_t factor = model.description.latent_factor;
    request.latents = read_latents(*fields.latents, Shape{request.batch, model.description.latent_channels,
                                                          request.height / factor, request.width / factor});
  }
  set_budget(fields, request);
  set_output(fields, request);
  return request;
}

}  // namespace snug
