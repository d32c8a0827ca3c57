#include "pipeline/parameters.h"

#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/version.h"
#include "media/a1111_parameters.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// "Karras" for "dpmpp_2m_karras", empty for samplers without a schedule in their name.
std::string_view schedule_label(const std::string& name) {
  const SamplerChoice choice = find_sampler(name);
  if (!choice.schedule.has_value()) return {};
  for (const ScheduleInfo& schedule : schedule_list()) {
    if (schedule.schedule == *choice.schedule) return schedule.label;
  }
  return {};
}

std::string a1111_text(const Request& request, int64_t index) {
  A1111Parameters parameters;
  const RequestPicture& picture = request.pictures[static_cast<size_t>(index)];
  parameters.prompt = picture.prompt;
  parameters.negative_prompt = picture.negative_prompt;
  auto& settings = parameters.settings;
  settings.emplace_back("Steps", std::to_string(request.steps));
  settings.emplace_back("Sampler", request.sampler_label);
  const std::string_view schedule = schedule_label(request.sampler_name);
  if (!schedule.empty()) settings.emplace_back("Schedule type", schedule);
  settings.emplace_back("CFG scale", fmt::format("{:g}", request.guidance_scale));
  settings.emplace_back("Seed", std::to_string(picture.seed));
  settings.emplace_back("Size", fmt::format("{}x{}", request.width, request.height));
  settings.emplace_back("Model", request.model_name);
  if (request.clip_skip > 1) settings.emplace_back("Clip skip", std::to_string(request.clip_skip));
  if (!request.image.empty() && !request.is_clip)
    settings.emplace_back("Denoising strength", fmt::format("{:g}", request.strength));
  settings.emplace_back("Version", std::string("Snug ") + kVersion);
  return write_a1111_parameters(parameters);
}

// Fields that are written as they were stated.
template <typename Visit>
void for_each_stated_number(Visit visit) {
  visit("original_size", &RequestFields::original_size);
  visit("crops_coords_top_left", &RequestFields::crops_coords_top_left);
  visit("target_size", &RequestFields::target_size);
  visit("negative_original_size", &RequestFields::negative_original_size);
  visit("negative_crops_coords_top_left", &RequestFields::negative_crops_coords_top_left);
  visit("negative_target_size", &RequestFields::negative_target_size);
  visit("aesthetic_score", &RequestFields::aesthetic_score);
  visit("negative_aesthetic_score", &RequestFields::negative_aesthetic_score);
  visit("denoising_end", &RequestFields::denoising_end);
  visit("denoising_start", &RequestFields::denoising_start);
  visit("frames", &RequestFields::frames);
  visit("frames_per_second", &RequestFields::frames_per_second);
  visit("flow_shift", &RequestFields::flow_shift);
}

std::string snug_json(const Request& request, const RequestFields& fields, int64_t index) {
  // Not null: a null becomes an object with two steps, and memory may be refused between them.
  ordered_json json = ordered_json::object();
  json["snug"] = kVersion;
  json["model"] = request.model_name;
  const auto add_text = [&](const char* key, const std::string& text) {
    if (!text.empty()) json[key] = text;
  };
  add_text("vae", fields.vae);
  add_text("tokenizer", fields.tokenizer);
  add_text("config", fields.config);
  if (!fields.loras.empty()) json["loras"] = fields.loras;
  const RequestPicture& picture = request.pictures[static_cast<size_t>(index)];
  json["prompt"] = picture.prompt;
  if (!picture.zero_negative) json["negative_prompt"] = picture.negative_prompt;
  if (picture.prompt_2 != picture.prompt) json["prompt_2"] = picture.prompt_2;
  if (picture.negative_prompt_2 != picture.negative_prompt)
    json["negative_prompt_2"] = picture.negative_prompt_2;
  json["width"] = request.width;
  json["height"] = request.height;
  json["steps"] = request.steps;
  json["sampler"] = request.sampler_name;
  json["guidance_scale"] = request.guidance_scale;
  if (request.guidance_scale_2 != request.guidance_scale) json["guidance_scale_2"] = request.guidance_scale_2;
  json["seed"] = picture.seed - static_cast<uint64_t>(picture.index);
  json["batch"] = picture.batch;
  if (picture.batch > 1) json["index"] = picture.index;
  json["clip_skip"] = request.clip_skip;
  json["precision"] = precision_name(request.precision);
  json["truncate_prompt"] = request.long_prompt == LongPrompt::kTruncate;
  if (request.quality.has_value()) json["quality"] = *request.quality;
  if (!request.image.empty()) {
    if (!request.denoising_start.has_value() && !request.is_clip) json["strength"] = request.strength;
    json["image"] = fields.image->name();
  }
  if (!request.last_image.empty()) json["last_image"] = fields.last_image->name();
  if (!request.mask.empty()) json["mask"] = fields.mask->name();
  if (!request.latents.empty()) json["latents"] = fields.latents->name();
  for_each_stated_number([&](const char* key, auto member) {
    if ((fields.*member).has_value()) json[key] = *(fields.*member);
  });
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

// Reads fields of the expected type; what has another type is an error that names it.
class FieldReader {
 public:
  FieldReader(const ordered_json& json, std::string file) : json_(json), file_(std::move(file)) {}

  template <typename T>
  std::optional<T> get(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end() || found->is_null()) return std::nullopt;
    if constexpr (std::is_same_v<T, std::string>) {
      if (found->is_string()) return found->template get<T>();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (found->is_boolean()) return found->template get<T>();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (found->is_number()) return found->template get<T>();
    } else if constexpr (std::is_same_v<T, SizePair>) {
      const bool is_pair = found->is_array() && found->size() == 2 && (*found)[0].is_number_integer() &&
                           (*found)[1].is_number_integer();
      if (is_pair) return found->template get<T>();
    } else if constexpr (std::is_unsigned_v<T>) {
      if (found->is_number_unsigned()) return found->template get<T>();
    } else {
      if (found->is_number_integer()) return found->template get<T>();
    }
    throw wrong(key);
  }

  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> texts;
    const auto found = json_.find(key);
    if (found == json_.end() || found->is_null()) return texts;
    if (!found->is_array()) throw wrong(key);
    for (const ordered_json& item : *found) {
      if (!item.is_string()) throw wrong(key);
      texts.push_back(item.get<std::string>());
    }
    return texts;
  }

  std::string text(const char* key) const { return get<std::string>(key).value_or(""); }

 private:
  Error wrong(const char* key) const {
    return Error(ErrorCode::kBadImage, fmt::format("its parameters hold a wrong value for '{}'", key),
                 "give the settings on the command line")
        .in_file(file_);
  }

  const ordered_json& json_;
  std::string file_;
};

RequestFields from_json(const std::string& text, const std::string& file) {
  const ordered_json json = ordered_json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("snug")) {
    throw Error(ErrorCode::kBadImage, "its parameters are not Snug's",
                "give the settings on the command line")
        .in_file(file);
  }
  const FieldReader reader(json, file);
  RequestFields fields;
  fields.model = reader.text("model");
  fields.vae = reader.text("vae");
  fields.tokenizer = reader.text("tokenizer");
  fields.config = reader.text("config");
  fields.loras = reader.texts("loras");
  fields.prompt = reader.text("prompt");
  fields.negative_prompt = reader.get<std::string>("negative_prompt");
  fields.prompt_2 = reader.get<std::string>("prompt_2");
  fields.negative_prompt_2 = reader.get<std::string>("negative_prompt_2");
  fields.width = reader.get<int64_t>("width");
  fields.height = reader.get<int64_t>("height");
  fields.steps = reader.get<int64_t>("steps");
  fields.sampler = reader.get<std::string>("sampler");
  fields.guidance_scale = reader.get<double>("guidance_scale");
  fields.guidance_scale_2 = reader.get<double>("guidance_scale_2");
  fields.seed = reader.get<uint64_t>("seed");
  fields.batch = reader.get<int64_t>("batch");
  fields.only_index = reader.get<int64_t>("index");
  fields.clip_skip = reader.get<int64_t>("clip_skip");
  fields.precision = reader.get<std::string>("precision");
  fields.truncate_prompt = reader.get<bool>("truncate_prompt").value_or(false);
  if (const auto quality = reader.get<int64_t>("quality")) fields.quality = static_cast<int>(*quality);
  fields.strength = reader.get<double>("strength");
  for_each_stated_number([&](const char* key, auto member) {
    using T = typename std::remove_reference_t<decltype(fields.*member)>::value_type;
    fields.*member = reader.get<T>(key);
  });
  for (const auto& [key, source] : {std::pair{"image", &fields.image},
                                    {"last_image", &fields.last_image},
                                    {"mask", &fields.mask},
                                    {"latents", &fields.latents}}) {
    const std::string path = reader.text(key);
    if (!path.empty()) *source = open_file(path);
  }
  return fields;
}

template <typename T>
std::optional<T> number(std::optional<std::string_view> text) {
  if (!text.has_value()) return std::nullopt;
  T value = {};
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (failure != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return value;
}

RequestFields from_a1111(const std::string& text) {
  const A1111Parameters parameters = parse_a1111_parameters(text);
  RequestFields fields;
  fields.prompt = parameters.prompt;
  if (!parameters.negative_prompt.empty()) fields.negative_prompt = parameters.negative_prompt;
  fields.steps = number<int64_t>(parameters.find("Steps"));
  fields.guidance_scale = number<double>(parameters.find("CFG scale"));
  fields.seed = number<uint64_t>(parameters.find("Seed"));
  fields.clip_skip = number<int64_t>(parameters.find("Clip skip"));
  fields.strength = number<double>(parameters.find("Denoising strength"));
  if (const auto sampler = parameters.find("Sampler")) {
    fields.sampler = std::string(*sampler);
    const auto schedule = parameters.find("Schedule type");
    if (schedule.has_value() && *schedule != "Automatic") *fields.sampler += " " + std::string(*schedule);
  }
  if (const auto size = parameters.find("Size")) {
    const size_t times = size->find('x');
    if (times != std::string_view::npos) {
      fields.width = number<int64_t>(size->substr(0, times));
      fields.height = number<int64_t>(size->substr(times + 1));
    }
  }
  return fields;
}

}  // namespace

Metadata picture_metadata(const Request& request, const RequestFields& fields, int64_t index) {
  Metadata metadata;
  metadata.parameters = a1111_text(request, index);
  metadata.snug_json = snug_json(request, fields, index);
  return metadata;
}

RequestFields fields_from_metadata(const Metadata& metadata, const std::string& file) {
  if (!metadata.snug_json.empty()) return from_json(metadata.snug_json, file);
  if (!metadata.parameters.empty()) return from_a1111(metadata.parameters);
  throw Error(ErrorCode::kBadImage, "the picture does not say how it was made",
              "use a picture that Snug or another program has written its parameters into")
      .in_file(file);
}

}  // namespace snug
