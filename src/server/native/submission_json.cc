#include "server/native/submission_json.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/nearest_name.h"
#include "pipeline/request_json.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/native/native_routes.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr int kMostPriority = 100;
constexpr double kMostSeconds = 366.0 * 24 * 3600;
constexpr size_t kMostKeyBytes = 255;

class HeldBytes final : public ByteSource {
 public:
  HeldBytes(std::string name, std::vector<std::byte> bytes)
      : bytes_(std::move(bytes)), view_(view_memory(std::move(name), bytes_)) {}
  const std::string& name() const override { return view_->name(); }
  uint64_t size() const override { return view_->size(); }
  bool is_memory() const override { return true; }
  void read_at(uint64_t offset, std::span<std::byte> out) const override { view_->read_at(offset, out); }

 private:
  std::vector<std::byte> bytes_;
  std::unique_ptr<ByteSource> view_;
};

// Of the service, not of the picture: an administrator's matter over the network.
bool is_offered(std::string_view name) { return name != "latents"; }

// The seed may be text: JavaScript cannot write all 64 bits as a number.
ordered_json read_seed(const ordered_json& value) {
  if (!value.is_string()) return value;
  const auto& text = value.get_ref<const std::string&>();
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    throw invalid_field("seed", "'seed' is no whole number of 64 bits", "leave it out for a random one");
  }
  return seed;
}

// One at a time, so that what is wrong has its field's name.
RequestFields fields_from_json(const ordered_json& json, const std::string& owner, Service& service) {
  for (const auto& [name, value] : json.items()) {
    try {
      request_from_json({{name, value}}, [](const std::string&) { return nullptr; });
    } catch (const Error& error) {
      throw invalid_field(name, error.problem(), error.fix());
    }
  }
  std::string_view field = "image";
  const OpenInput open = [&](const std::string& text) { return open_picture(text, field, owner, service); };
  ordered_json rest = json;
  rest.erase("last_image");
  rest.erase("mask");
  RequestFields fields = request_from_json(rest, open);
  for (const auto& [name, picture] : {std::pair{"last_image", &fields.last_image}, {"mask", &fields.mask}}) {
    if (!json.contains(name) || json[name].is_null()) continue;
    field = name;
    *picture = open(json[name].get<std::string>());
  }
  return fields;
}

}  // namespace

std::shared_ptr<const ByteSource> hold_picture(std::string name, std::vector<std::byte> bytes) {
  return std::make_shared<HeldBytes>(std::move(name), std::move(bytes));
}

std::shared_ptr<const ByteSource> open_picture(const std::string& text, std::string_view field,
                                               const std::string& owner, Service& service) {
  if (!text.starts_with("data:"))
    return hold_picture(std::string(field), service.uploaded(text, owner).bytes);
  const size_t comma = text.find(',');
  const std::string_view head = std::string_view(text).substr(0, comma);
  std::optional<std::vector<std::byte>> bytes;
  if (comma != std::string::npos && head.ends_with(";base64")) {
    bytes = decode_base64(std::string_view(text).substr(comma + 1));
  }
  if (!bytes.has_value()) {
    throw invalid_field(std::string(field), fmt::format("'{}' is no data URL in base64", field),
                        "send 'data:image/png;base64,...', or upload the picture and send its id");
  }
  return hold_picture(std::string(field), *std::move(bytes));
}

std::string idempotency_key_of(const HttpRequest& request) {
  std::string key(request.headers.find("Idempotency-Key").value_or(""));
  const bool printable = std::ranges::all_of(key, [](char letter) { return letter > 0x20 && letter < 0x7f; });
  if (key.size() > kMostKeyBytes || !printable) {
    throw HttpError(400, "malformed_request",
                    fmt::format("the Idempotency-Key is longer than {} letters, or not of printable ASCII",
                                kMostKeyBytes),
                    "use a UUID");
  }
  return key;
}

void require_listed_model(const std::string& name, std::string_view field,
                          const std::vector<ListedModel>& models) {
  if (name.empty()) return;
  std::vector<std::string_view> names;
  for (const ListedModel& model : models) {
    if (model.name == name) return;
    names.push_back(model.name);
  }
  const std::string_view nearest = nearest_name(name, names);
  throw HttpError(
      404, "not_found", fmt::format("'{}' names no model of this server", field),
      nearest.empty() ? "see /api/v1/models" : fmt::format("did you mean '{}'? See /api/v1/models", nearest))
      .at(std::string(field));
}

void require_picture_model(const std::string& name, std::string_view field,
                           const std::vector<ListedModel>& models) {
  const auto found = std::ranges::find_if(
      models, [&](const ListedModel& model) { return name.empty() || model.name == name; });
  if (found == models.end() || !found->video.has_value()) return;
  const ErrorInfo& info = error_info(ErrorCode::kUnsupported);
  throw HttpError(info.http_status, std::string(info.word),
                  fmt::format("the model '{}' makes clips, and this API answers with pictures", found->name),
                  "ask for clips with POST /api/v1/jobs")
      .at(std::string(field));
}

Submission submission_from_json(const nlohmann::json& body, const HttpRequest& request,
                                const NativeParts& parts) {
  JsonFields fields(body);
  Submission submission;
  submission.owner = request.owner;
  submission.api = "native";
  submission.priority =
      static_cast<int>(fields.integer("priority", -kMostPriority, kMostPriority).value_or(0));
  submission.deadline_seconds = fields.number("deadline_seconds", 0, kMostSeconds);
  submission.preset = fields.text("preset").value_or("");
  if (const auto& preset = submission.preset;
      !preset.empty() && preset != "draft" && preset != "standard" && preset != "high") {
    throw invalid_field("preset", "'preset' must be draft, standard or high");
  }
  submission.time_seconds = fields.number("time_seconds", 0, kMostSeconds);
  submission.previews = fields.truth("previews").value_or(false);
  submission.idempotency_key = idempotency_key_of(request);

  ordered_json picture = ordered_json::object();
  for (const RequestField& field : request_fields()) {
    if (!is_offered(field.name)) continue;
    const nlohmann::json* value = fields.value(field.name);
    if (value == nullptr) continue;
    picture[std::string(field.name)] = field.name == "seed" ? read_seed(*value) : ordered_json(*value);
  }
  fields.finish();
  submission.fields = fields_from_json(picture, visible_owner(request), parts.service);
  const std::vector<ListedModel> models = parts.models();
  require_listed_model(submission.fields.model, "model", models);
  require_listed_model(submission.fields.vae, "vae", models);
  return submission;
}

}  // namespace snug
