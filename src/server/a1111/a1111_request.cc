#include "server/a1111/a1111_request.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <memory>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/error.h"
#include "media/decode_picture.h"
#include "media/encode_picture.h"
#include "sampling/sampler_list.h"
#include "server/http_error.h"
#include "server/native/submission_json.h"
#include "server/sampler_names.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr int64_t kLeastEdge = 8, kMostEdge = 16'384;
constexpr int64_t kMostPictures = 256;
constexpr int64_t kMostSteps = 1000;
constexpr size_t kMostPictureText = size_t{256} << 20;  // the body's limit comes first
constexpr double kDenoisingStrength = 0.75;             // A1111's own default

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char letter) { return std::tolower(letter); });
  return out;
}

// "name.safetensors [6ce0161689]" and "name" both mean name.safetensors.
std::string_view without_hash(std::string_view title) {
  const size_t bracket = title.ends_with(']') ? title.rfind(" [") : std::string_view::npos;
  return title.substr(0, bracket);
}
std::string_view without_extension(std::string_view name) {
  for (const std::string_view extension : {".safetensors", ".gguf"}) {
    if (name.ends_with(extension)) return name.substr(0, name.size() - extension.size());
  }
  return name;
}

std::string model_of_title(const std::string& title, const std::vector<ListedModel>& models) {
  const std::string_view name = without_hash(title);
  for (const ListedModel& model : models) {
    if (model.name == title || model.name == name) return model.name;
  }
  for (const ListedModel& model : models) {
    if (without_extension(model.name) == without_extension(name)) return model.name;
  }
  require_listed_model(title, "sd_model_checkpoint", models);
  return title;
}

// "Automatic" and "Uniform" are the sampler's own schedule; names and labels in any case.
std::string schedule_named(const std::string& text) {
  const std::string wanted = lower(text);
  if (wanted.empty() || wanted == "automatic" || wanted == "uniform") return {};
  std::string known = "Automatic";
  for (const ScheduleInfo& schedule : schedule_list()) {
    if (wanted == schedule.name || wanted == lower(schedule.label)) return std::string(schedule.name);
    known += fmt::format(", {}", schedule.label);
  }
  throw invalid_field("scheduler", "there is no scheduler of that name", "use one of " + known);
}

void read_sampler(JsonFields& fields, RequestFields& out) {
  std::optional<std::string> sampler = fields.text("sampler_name");
  const std::optional<std::string> older = fields.text("sampler_index");
  if (!sampler.has_value() || sampler->empty()) sampler = older;
  const std::string schedule = schedule_named(fields.text("scheduler").value_or(""));
  if (sampler.has_value() && !sampler->empty() && lower(*sampler) != "automatic") {
    try {
      out.sampler = scheduled_sampler(*sampler, schedule);
    } catch (const Error& error) {
      throw invalid_field("sampler_name", error.problem(), error.fix());
    }
  } else if (!schedule.empty()) {
    out.schedule = schedule;
  }
}

void refuse_what_is_not_done(JsonFields& fields) {
  for (const std::string_view name : {"enable_hr", "tiling", "restore_faces"}) {
    if (fields.truth(name).value_or(false)) {
      throw invalid_field(std::string(name), fmt::format("'{}' is not something Snug does", name),
                          "send false, or leave it out");
    }
  }
  if (const auto script = fields.text("script_name"); script.has_value() && !script->empty())
    throw invalid_field("script_name", "there are no scripts here", "leave it out");
}

// White is repainted: A1111 takes that from the brightness or, where there is transparency, from what is
// opaque; inverted on request.
std::vector<std::byte> mask_png(std::vector<std::byte> bytes, bool invert) {
  Picture picture = decode_picture(*hold_picture("mask", std::move(bytes)));
  const bool by_alpha = std::ranges::any_of(picture.alpha, [](uint8_t value) { return value < 255; });
  for (size_t i = 0; by_alpha && i < picture.alpha.size(); ++i)
    std::fill_n(picture.rgb.begin() + static_cast<ptrdiff_t>(3 * i), 3,
                static_cast<uint8_t>(picture.alpha[i] > 128 ? 255 : 0));
  if (invert) std::ranges::transform(picture.rgb, picture.rgb.begin(), [](uint8_t v) { return 255 - v; });
  picture.alpha.clear();
  return encode_picture(picture, PictureFormat::kPng);
}

void read_pictures(JsonFields& fields, RequestFields& out) {
  const std::optional<std::vector<std::string>> images = fields.texts("init_images", 1);
  if (!images.has_value() || images->empty())
    throw invalid_field("init_images", "'init_images' has no picture", "send one, in base64");
  out.image = hold_picture("init_images[0]", a1111_picture_bytes(images->front(), "init_images[0]"));
  out.strength = fields.number("denoising_strength", 0, 1).value_or(kDenoisingStrength);
  // 0 and 1, or false and true: clients send either.
  const json* invert = fields.value("inpainting_mask_invert");
  if (invert != nullptr && !invert->is_boolean()) fields.integer("inpainting_mask_invert", 0, 1);
  const bool inverted = invert != nullptr && (invert->is_boolean() ? invert->get<bool>() : *invert != 0);
  if (const auto mask = fields.text("mask", kMostPictureText); mask.has_value() && !mask->empty())
    out.mask = hold_picture("mask", mask_png(a1111_picture_bytes(*mask, "mask"), inverted));
}

void read_batch(JsonFields& fields, RequestFields& out) {
  const int64_t size = fields.integer("batch_size", 1, kMostPictures).value_or(1);
  const int64_t batches = fields.integer("n_iter", 1, kMostPictures).value_or(1);
  if (size * batches > kMostPictures) {
    throw invalid_field("n_iter", fmt::format("'batch_size' times 'n_iter' is more than {}", kMostPictures),
                        "ask for fewer at once");
  }
  out.batch = size * batches;  // seeds seed, seed + 1, ... as A1111 counts them
  if (const auto seed = fields.integer("seed", -1, INT64_MAX); seed.has_value() && *seed >= 0)
    out.seed = static_cast<uint64_t>(*seed);
}

}  // namespace

std::vector<std::byte> a1111_picture_bytes(const std::string& text, const std::string& field) {
  std::string_view base64 = text;
  if (base64.starts_with("data:")) {
    const size_t begin = base64.find(";base64,");
    base64 = begin == std::string_view::npos ? "!" : base64.substr(begin + 8);
  }
  std::optional<std::vector<std::byte>> bytes = decode_base64(base64);
  if (!bytes.has_value() || bytes->empty()) {
    throw invalid_field(field, fmt::format("'{}' is no picture in base64", field),
                        "send its bytes in base64; addresses are not fetched");
  }
  return *std::move(bytes);
}

A1111Settings read_a1111_settings(JsonFields& fields, A1111Settings settings,
                                  const std::vector<ListedModel>& models) {
  if (const auto title = fields.text("sd_model_checkpoint"); title.has_value() && !title->empty())
    settings.model = model_of_title(*title, models);
  if (const auto skip = fields.integer("CLIP_stop_at_last_layers", 1, 64)) settings.clip_skip = skip;
  if (const auto format = fields.text("samples_format")) {
    const std::string name = lower(*format) == "jpg" ? "jpeg" : lower(*format);
    if (name != "png" && name != "jpeg" && name != "webp")
      throw invalid_field("samples_format", "'samples_format' must be png, jpg or webp");
    settings.format = name;
  }
  return settings;
}

Submission a1111_submission(const json& body, bool with_picture, const HttpRequest& request,
                            const A1111Settings& settings, const NativeParts& parts) {
  JsonFields fields(body);
  Submission submission;
  submission.owner = request.owner;
  submission.api = "a1111";
  submission.previews = true;  // clients poll for them without having asked
  RequestFields& out = submission.fields;
  out.prompt = fields.text("prompt").value_or("");
  // A1111 takes an empty one for none: its clients send one always.
  if (const auto negative = fields.text("negative_prompt"); negative.has_value() && !negative->empty())
    out.negative_prompt = *negative;
  out.width = fields.integer("width", kLeastEdge, kMostEdge);
  out.height = fields.integer("height", kLeastEdge, kMostEdge);
  out.steps = fields.integer("steps", 1, kMostSteps);
  out.guidance_scale = fields.number("cfg_scale", 0, 1000);
  read_batch(fields, out);
  read_sampler(fields, out);
  refuse_what_is_not_done(fields);
  A1111Settings chosen = settings;
  if (const json* overrides = fields.value("override_settings")) {
    JsonFields inner(*overrides, "override_settings");
    chosen = read_a1111_settings(inner, std::move(chosen), parts.models());
  }
  out.model = chosen.model;
  require_picture_model(out.model, "sd_model_checkpoint", parts.models());
  out.clip_skip = chosen.clip_skip;
  out.format = chosen.format;
  if (with_picture) read_pictures(fields, out);
  return submission;
}

}  // namespace snug
