#include "pipeline/request_json.h"

#include <array>
#include <limits>
#include <type_traits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/nearest_name.h"

namespace snug {
namespace {

using nlohmann::ordered_json;
using F = RequestFields;

constexpr auto kFields = std::to_array<RequestField>({
    {"model", &F::model, "Name of a model as listed; default: the embedded one"},
    {"vae", &F::vae, "Another autoencoder, by its name"},
    {"loras", &F::loras, R"(LoRAs by name, with weights: ["style:0.8"])"},
    {"prompt", &F::prompt, "What to show; (word:1.3) weighs, BREAK starts a chunk, <lora:style:0.8>"},
    {"negative_prompt", &F::negative_prompt, "What to avoid"},
    {"prompt_2", &F::prompt_2, "For a second text encoder; default: prompt"},
    {"negative_prompt_2", &F::negative_prompt_2, "For a second text encoder; default: negative_prompt"},
    {"width", &F::width, "Pixels; default: the picture's, or the model's native size"},
    {"height", &F::height, "Pixels"},
    {"frames", &F::frames, "Of a video model: one more than a multiple of four; default: the model's"},
    {"fps", &F::frames_per_second, "Of a video model: frames shown a second; default: the model's"},
    {"steps", &F::steps, "Sampling steps"},
    {"batch", &F::batch, "Pictures, with seeds seed, seed + 1, ..."},
    {"preset", &F::preset, "draft, standard or high: steps, size and sampler that are not stated"},
    {"time_seconds", &F::time_seconds, "Best quality whose predicted time fits"},
    {"guidance_scale", &F::guidance_scale, "1 follows the prompt alone"},
    {"guidance_scale_2", &F::guidance_scale_2,
     "Of a second expert; default: guidance_scale where it is stated"},
    {"flow_shift", &F::flow_shift, "Of a flow model: moves its noise levels; default: the model's"},
    {"seed", &F::seed, "Same seed, same picture; default: random"},
    {"sampler", &F::sampler, "Any of diffusers' and A1111's names"},
    {"schedule", &F::schedule, "karras, exponential, beta, simple or normal; default: the sampler's"},
    {"clip_skip", &F::clip_skip, "1 is the text encoder's last layer"},
    {"precision", &F::precision, "auto, f32 or bf16"},
    {"memory", &F::memory, "Most that the process may hold, as in 700MiB"},
    {"allow", &F::allow, "What may change so that the budget is kept: precision, size, steps"},
    {"truncate_prompt", &F::truncate_prompt, "Drop what is beyond one chunk instead of adding chunks"},
    {"original_size", &F::original_size,
     "[height, width] that SDXL is told the picture had; default: its own"},
    {"crops_coords_top_left", &F::crops_coords_top_left, "[top, left] that SDXL is told it was cropped at"},
    {"target_size", &F::target_size, "[height, width] that SDXL is told to aim at; default: the picture's"},
    {"negative_original_size", &F::negative_original_size, "For the negative prompt; default: original_size"},
    {"negative_crops_coords_top_left", &F::negative_crops_coords_top_left,
     "For the negative prompt; default: crops_coords_top_left"},
    {"negative_target_size", &F::negative_target_size, "For the negative prompt; default: target_size"},
    {"aesthetic_score", &F::aesthetic_score, "Of SDXL's refiner; default: 6"},
    {"negative_aesthetic_score", &F::negative_aesthetic_score, "Of SDXL's refiner; default: 2.5"},
    {"denoising_end", &F::denoising_end, "0..1 of the noise levels: stop there and leave noise"},
    {"denoising_start", &F::denoising_start, "0..1 of the noise levels: go on there from latents or image"},
    {"image", &F::image, "Start picture"},
    {"last_image", &F::last_image, "A clip's last frame; needs image"},
    {"mask", &F::mask, "White is repainted; needs image"},
    {"strength", &F::strength, "0..1, how much of the image is replaced"},
    {"latents", &F::latents, "Start latents: safetensors"},
    {"only_index", &F::only_index, "This picture of the batch alone"},
    {"format", &F::format, "png, jpeg or webp; of clips mp4, webm or webp"},
    {"quality", &F::quality, "1..100, of jpeg, webp and clips"},
});

Error wrong(std::string_view name, std::string_view wanted) {
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} has the wrong type", name),
               fmt::format("give {}", wanted));
}

template <typename T>
std::string_view type_text() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, std::string>) return "text";
  if constexpr (std::is_same_v<T, double>) return "a number";
  if constexpr (std::is_unsigned_v<T>) return "a whole number that is not negative";
  return "a whole number";
}

// Nothing is converted: 1.5 is no integer, "1" no number.
template <typename T>
T read_value(std::string_view name, const ordered_json& json) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (json.is_string()) return json.get<T>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (json.is_boolean()) return json.get<T>();
  } else if constexpr (std::is_same_v<T, double>) {
    if (json.is_number()) return json.get<T>();
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    if (json.is_number_unsigned() || (json.is_number_integer() && json.get<int64_t>() >= 0))
      return json.get<T>();
  } else {
    // Beyond the type would wrap around.
    const bool fits = json.is_number_integer() &&
                      (!json.is_number_unsigned() ||
                       json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<T>::max())) &&
                      json.get<int64_t>() >= std::numeric_limits<T>::min() &&
                      json.get<int64_t>() <= std::numeric_limits<T>::max();
    if (fits) return json.get<T>();
  }
  throw wrong(name, type_text<T>());
}

template <typename T>
void read_into(T& member, std::string_view name, const ordered_json& json, const OpenInput& /*open*/) {
  member = read_value<T>(name, json);
}
template <typename T>
void read_into(std::optional<T>& member, std::string_view name, const ordered_json& json,
               const OpenInput& /*open*/) {
  member = read_value<T>(name, json);
}
void read_into(std::optional<SizePair>& member, std::string_view name, const ordered_json& json,
               const OpenInput& /*open*/) {
  if (!json.is_array() || json.size() != 2) throw wrong(name, "a list of two whole numbers");
  member = SizePair{read_value<int64_t>(name, json[0]), read_value<int64_t>(name, json[1])};
}
void read_into(std::vector<std::string>& member, std::string_view name, const ordered_json& json,
               const OpenInput& /*open*/) {
  if (!json.is_array()) throw wrong(name, "a list of texts");
  for (const ordered_json& item : json) member.push_back(read_value<std::string>(name, item));
}
void read_into(std::shared_ptr<const ByteSource>& member, std::string_view name, const ordered_json& json,
               const OpenInput& open) {
  member = open(read_value<std::string>(name, json));
}

void write_from(const std::string& member, std::string_view name, ordered_json& json, const NameInput&) {
  if (!member.empty()) json[std::string(name)] = member;
}
void write_from(bool member, std::string_view name, ordered_json& json, const NameInput&) {
  if (member) json[std::string(name)] = member;
}
void write_from(const std::vector<std::string>& member, std::string_view name, ordered_json& json,
                const NameInput&) {
  if (!member.empty()) json[std::string(name)] = member;
}
template <typename T>
void write_from(const std::optional<T>& member, std::string_view name, ordered_json& json, const NameInput&) {
  if (member.has_value()) json[std::string(name)] = *member;
}
void write_from(const std::shared_ptr<const ByteSource>& member, std::string_view name, ordered_json& json,
                const NameInput& name_input) {
  if (member != nullptr) json[std::string(name)] = name_input(member);
}

const RequestField& field_named(const std::string& name) {
  std::vector<std::string_view> names;
  for (const RequestField& field : kFields) {
    if (field.name == name) return field;
    names.push_back(field.name);
  }
  const std::string_view nearest = nearest_name(name, names);
  throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no field '{}'", name),
              nearest.empty() ? "leave it out" : fmt::format("did you mean '{}'?", nearest));
}

}  // namespace

std::span<const RequestField> request_fields() { return kFields; }

ordered_json request_to_json(const RequestFields& fields, const NameInput& name_input) {
  ordered_json json = ordered_json::object();
  for (const RequestField& field : kFields) {
    std::visit([&](auto member) { write_from(fields.*member, field.name, json, name_input); }, field.member);
  }
  return json;
}

RequestFields request_from_json(const ordered_json& json, const OpenInput& open_input) {
  if (!json.is_object()) throw wrong("the request", "an object");
  RequestFields fields;
  for (const auto& [name, value] : json.items()) {
    if (value.is_null()) continue;
    const RequestField& field = field_named(name);
    std::visit([&, &given = value](auto member) { read_into(fields.*member, field.name, given, open_input); },
               field.member);
  }
  return fields;
}

}  // namespace snug
