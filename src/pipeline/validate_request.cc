#include "pipeline/validate_request.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <tuple>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"
#include "media/atomic_file.h"
#include "media/decode_picture.h"
#include "pipeline/call_range.h"
#include "pipeline/latents_shape.h"
#include "pipeline/model_loras.h"
#include "pipeline/request_picture.h"
#include "pipeline/validate_clip.h"
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

void set_flow_shift(double shift, bool is_flow, Request& request) {
  constexpr double kLeastShift = 0.01;
  constexpr double kMostShift = 100;
  if (!is_flow) throw invalid("the model's noise levels are not shifted", "leave the flow shift away");
  request.sampler.flow_shift = within("flow shift", shift, kLeastShift, kMostShift);
  request.sampler.use_dynamic_shifting = false;
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
  const bool is_flow = model.description.prediction_type == "flow_prediction";
  // Flow models have an Euler of their own, which other programs call by the same name.
  if (is_flow && choice.sampler->kind == SamplerKind::kEuler) {
    choice.sampler = find_sampler("flow_euler").sampler;
  }
  // A flow's own sigmas are "simple", to a thousandth: what ComfyUI's graphs of Wan name beside UniPC.
  if (is_flow && choice.schedule == SigmaSchedule::kSimple) choice.schedule.reset();
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
  if (fields.flow_shift.has_value()) set_flow_shift(*fields.flow_shift, is_flow, request);
  request.sampler_name = sampler_name(choice);
  request.sampler_label = choice.sampler->a1111_label;
  const auto sampler = make_sampler(request.sampler, static_cast<int>(request.steps));
  const CallRange range = call_range(request, *sampler);
  if (range.first >= range.end && (request.denoising_start || request.denoising_end)) {
    throw invalid(
        fmt::format("denoising from {:g} to {:g} in {} steps leaves no step to do",
                    request.denoising_start.value_or(0), request.denoising_end.value_or(1), request.steps),
        "widen the part or raise --steps");
  }
  if (range.first >= range.end) {
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

// The last of latents that were recorded after every step, [steps,batch,C,h,w].
HostTensor last_of(const HostTensor& recorded) {
  const Shape& all = recorded.shape();
  if (all.rank() != 5 || all.elements() == 0) return recorded;
  const Shape one{all[1], all[2], all[3], all[4]};
  const HostTensor floats = recorded.to_f32();
  return HostTensor::from_floats(one, floats.floats().last(static_cast<size_t>(one.elements())));
}

// Start latents from a file, [batch,C,h,w]; `goes_on`: those that another run left.
HostTensor read_latents(const ByteSource& source, const Shape& wanted, bool goes_on) {
  const SafetensorsIndex index = read_safetensors_index(source);
  const StoredTensor* tensor = goes_on ? nullptr : index.find("init_latents");
  if (tensor == nullptr) tensor = index.find("latents");
  if (tensor == nullptr && index.tensors.size() == 1) tensor = index.tensors.data();
  if (tensor == nullptr) {
    throw Error(ErrorCode::kMissingTensor,
                goes_on ? "has no tensor latents" : "has no tensor init_latents or latents",
                "name the tensor so")
        .in_file(source.name());
  }
  HostTensor latents = read_host_tensor(source, *tensor);
  if (goes_on) latents = last_of(latents);
  if (!(latents.shape() == wanted)) {
    throw Error(ErrorCode::kShapeMismatch,
                fmt::format("has shape {}, this request needs {}", latents.shape().text(), wanted.text()),
                "give latents of the picture's size and batch")
        .in_file(source.name())
        .in_tensor(tensor->name);
  }
  return latents.to_f32();
}

// They run with one set of weights.
void check_loras(const Request& request) {
  const auto loras_of = [](const RequestPicture& picture) {
    return loras_of_prompts(
        {picture.prompt, picture.negative_prompt, picture.prompt_2, picture.negative_prompt_2});
  };
  const std::vector<NamedLora> first = loras_of(request.pictures.front());
  for (const RequestPicture& picture : request.pictures) {
    if (loras_of(picture) != first)
      throw invalid("the pictures' prompts name different LoRAs",
                    "make pictures with other LoRAs by a request of their own");
  }
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
  if (request.is_clip) {
    set_clip_format(fields, request);
  } else if (fields.format.has_value()) {
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
  // A clip shows its picture as it is, and begins with noise alone.
  const double usual = fields.image != nullptr && !request.is_clip ? 0.8 : 1.0;
  request.strength = within("strength", fields.strength.value_or(usual), 0.0, 1.0);
  if (!picture.has_value()) return;
  if (request.is_clip) {
    set_clip_pictures(fields, *picture, request);
    return;
  }
  request.image = request_image(*picture, request.width, request.height);
  if (fields.mask != nullptr)
    request.mask = request_mask(decode_picture(*fields.mask), request.width, request.height);
}

// The stated size, else the picture's rounded to what the model can do, else the model's own.
void set_size(const RequestFields& fields, const Model& model, const std::optional<Picture>& picture,
              Request& request) {
  const auto& video = model.description.video;
  const int64_t factor = video ? video->size_step_px() : model.description.latent_factor;
  SizePair size = {model.description.native_size_px, model.description.native_size_px};
  if (video) {
    size = clip_size(*video, picture);
  } else if (picture.has_value()) {
    size = {nearest_multiple(picture->height, factor), nearest_multiple(picture->width, factor)};
  }
  request.width = checked_edge("width", fields.width.value_or(size[1]), factor);
  request.height = checked_edge("height", fields.height.value_or(size[0]), factor);
}

// With what its text encoders take: the second's prompts are those of the first, but where they are stated.
RequestPicture picture_of(const PictureFields& fields, const ModelDescription& model) {
  RequestPicture picture;
  picture.prompt = fields.prompt;
  picture.negative_prompt = fields.negative_prompt.value_or("");
  picture.seed = fields.seed;
  picture.index = fields.index;
  picture.batch = fields.batch;
  picture.prompt_2 = fields.prompt_2.value_or(picture.prompt);
  picture.negative_prompt_2 = fields.negative_prompt_2.value_or(picture.negative_prompt);
  const bool none = !fields.negative_prompt.has_value() && !fields.negative_prompt_2.has_value();
  picture.zero_negative = none && model.zeros_without_negative;
  const bool has_second = std::any_of(model.text_encoders.begin(), model.text_encoders.end(),
                                      [](const TextEncoder& encoder) { return encoder.second_prompt; });
  if (!has_second && (fields.prompt_2.has_value() || fields.negative_prompt_2.has_value())) {
    throw invalid("the model has one text encoder, and there is a prompt for a second",
                  "leave --prompt-2 and --negative-2 away");
  }
  return picture;
}

// The pictures of the batch, with seeds seed, seed + 1, ...
void set_batch(const RequestFields& fields, const Model& model, Request& request) {
  if (!fields.pictures.empty()) {
    request.batch = within<int64_t>("batch", static_cast<int64_t>(fields.pictures.size()), 1, kMaxBatch);
    for (const PictureFields& picture : fields.pictures) {
      request.pictures.push_back(picture_of(picture, model.description));
    }
    return;
  }
  request.batch =
      within<int64_t>("batch", fields.batch.value_or(1), 1, model.description.video ? 1 : kMaxBatch);
  const uint64_t seed = fields.seed.has_value() ? *fields.seed : std::random_device{}();
  for (int64_t i = 0; i < request.batch; ++i) {
    request.pictures.push_back(
        picture_of({fields.prompt, fields.negative_prompt, seed + static_cast<uint64_t>(i), i, request.batch,
                    fields.prompt_2, fields.negative_prompt_2},
                   model.description));
  }
  if (fields.only_index.has_value()) {
    request.only_index = within<int64_t>("picture index", *fields.only_index, 0, request.batch - 1);
  }
}

int64_t most_clip_skip(const ModelDescription& model) {
  int64_t most = kMaxSteps;
  for (const TextEncoder& encoder : model.text_encoders) most = std::min(most, encoder.most_skipped());
  return most + 1;
}

std::optional<SizePair> checked_pair(std::string_view field, const std::optional<SizePair>& pair,
                                     int64_t least) {
  if (!pair.has_value()) return pair;
  for (const int64_t value : *pair) within<int64_t>(field, value, least, kMaxEdgePx);
  return pair;
}

std::optional<double> checked_score(std::string_view field, const std::optional<double>& score) {
  constexpr double kMostScore = 100;
  if (score.has_value()) within(field, *score, 0.0, kMostScore);
  return score;
}

// What is stated and the model does not take is refused: it would change nothing.
void set_size_conditioning(const RequestFields& fields, const ModelDescription& model, Request& request) {
  request.sizes = {checked_pair("original size", fields.original_size, 1),
                   checked_pair("crop", fields.crops_coords_top_left, 0),
                   checked_pair("target size", fields.target_size, 1),
                   checked_score("aesthetic score", fields.aesthetic_score)};
  request.negative_sizes = {checked_pair("negative original size", fields.negative_original_size, 1),
                            checked_pair("negative crop", fields.negative_crops_coords_top_left, 0),
                            checked_pair("negative target size", fields.negative_target_size, 1),
                            checked_score("negative aesthetic score", fields.negative_aesthetic_score)};
  constexpr int64_t kSizesAlone = 6;
  const bool takes_target = model.unet.added.numbers == kSizesAlone;
  for (const SizeConditioning* sizes : {&request.sizes, &request.negative_sizes}) {
    if (!model.unet.added.present() && (sizes->original_size || sizes->crop_top_left)) {
      throw invalid("the model takes no sizes", "leave the original size and the crop away");
    }
    if (!takes_target && sizes->target_size) {
      throw invalid("the model takes no target size", "leave the target size away");
    }
    if ((!model.unet.added.present() || takes_target) && sizes->aesthetic_score) {
      throw invalid("the model takes no aesthetic score", "leave the aesthetic score away");
    }
  }
}

void set_part_of_schedule(const RequestFields& fields, Request& request) {
  constexpr double kLeast = 1e-6;
  for (const auto& [name, from, to] :
       {std::tuple{"denoising_end", &fields.denoising_end, &request.denoising_end},
        {"denoising_start", &fields.denoising_start, &request.denoising_start}}) {
    if (from->has_value()) *to = within(name, **from, kLeast, 1 - kLeast);
  }
  if (!fields.denoising_start.has_value()) return;
  if (fields.image == nullptr && fields.latents == nullptr) {
    throw invalid("denoising_start goes on from something, and there is nothing",
                  "give --latents, as a run with --denoising-end and --dump writes them, or --image");
  }
  if (fields.strength.has_value()) {
    throw invalid("denoising_start and strength both say where to start", "give one of them");
  }
}

}  // namespace

Request validate_request(const RequestFields& fields, const Model& model, const Backend& backend) {
  Request request;
  request.model_name = model.name;
  request.long_prompt = fields.truncate_prompt ? LongPrompt::kTruncate : LongPrompt::kChunk;
  if (model.description.video) {
    set_clip(fields, *model.description.video, request);
  } else {
    refuse_clip_fields(fields);
  }
  std::optional<Picture> picture;
  if (fields.image != nullptr) picture = decode_picture(*fields.image);
  set_size(fields, model, picture, request);
  request.steps = within<int64_t>("steps", fields.steps.value_or(model.recommended.steps), 1, kMaxSteps);
  set_batch(fields, model, request);
  set_size_conditioning(fields, model.description, request);
  check_loras(request);
  request.guidance_scale =
      within("guidance scale", fields.guidance_scale.value_or(model.recommended.guidance_scale), 0.0,
             kMaxGuidanceScale);
  // As diffusers does where one scale is stated, and as the model's makers do where none is.
  const double second = fields.guidance_scale.has_value()
                            ? request.guidance_scale
                            : model.recommended.guidance_scale_2.value_or(request.guidance_scale);
  request.guidance_scale_2 =
      within("second guidance scale", fields.guidance_scale_2.value_or(second), 0.0, kMaxGuidanceScale);
  request.clip_skip =
      within<int64_t>("clip skip", fields.clip_skip.value_or(1), 1, most_clip_skip(model.description));
  request.precision = chosen_precision(fields.precision.value_or("f32"), backend);
  request.auto_precision = fields.precision == "auto";
  set_part_of_schedule(fields, request);
  set_pictures(fields, picture, request);
  set_sampler(fields, model, request);
  if (fields.latents != nullptr) {
    if (fields.image != nullptr && !request.is_clip)
      throw invalid("start latents and a start picture exclude each other", "give one of them");
    request.latents = read_latents(*fields.latents, latents_shape(request, model.description),
                                   fields.denoising_start.has_value());
  }
  set_budget(fields, request);
  set_output(fields, request);
  return request;
}

}  // namespace snug
