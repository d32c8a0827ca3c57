// GET /sdapi/v1/samplers, schedulers, sd-models, loras, and the lists that are empty here; POST png-info.
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "media/a1111_parameters.h"
#include "media/metadata.h"
#include "sampling/sampler_list.h"
#include "server/a1111/a1111_request.h"
#include "server/a1111/a1111_routes.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/native/native_json.h"
#include "server/native/submission_json.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMostPictureText = size_t{256} << 20;  // the body's limit comes first

// Clients ask for these at start and take an empty list for "there is none".
struct EmptyAnswer {
  std::string_view path, json;
};
constexpr std::array kEmptyAnswers = {
    EmptyAnswer{"/sdapi/v1/upscalers", "[]"},
    EmptyAnswer{"/sdapi/v1/latent-upscale-modes", "[]"},
    EmptyAnswer{"/sdapi/v1/sd-vae", "[]"},
    EmptyAnswer{"/sdapi/v1/hypernetworks", "[]"},
    EmptyAnswer{"/sdapi/v1/face-restorers", "[]"},
    EmptyAnswer{"/sdapi/v1/prompt-styles", "[]"},
    EmptyAnswer{"/sdapi/v1/embeddings", R"({"loaded":{},"skipped":{}})"},
    EmptyAnswer{"/sdapi/v1/scripts", R"({"txt2img":[],"img2img":[]})"},
    EmptyAnswer{"/sdapi/v1/cmd-flags", "{}"},
};

ordered_json samplers() {
  ordered_json list = ordered_json::array();
  for (const SamplerInfo& sampler : sampler_list()) {
    ordered_json aliases = {sampler.name};
    if (!sampler.alias.empty() && sampler.alias != sampler.name) aliases.push_back(sampler.alias);
    list.push_back({{"name", sampler.a1111_label},
                    {"aliases", std::move(aliases)},
                    {"options", ordered_json::object()}});
  }
  return list;
}

ordered_json schedulers() {
  const auto entry = [](std::string_view name, std::string_view label) {
    return ordered_json{{"name", name},
                        {"label", label},
                        {"aliases", nullptr},
                        {"default_rho", -1},
                        {"need_inner_model", false}};
  };
  ordered_json list = {entry("automatic", "Automatic")};
  for (const ScheduleInfo& schedule : schedule_list()) list.push_back(entry(schedule.name, schedule.label));
  return list;
}

// Without paths and hashes: where models lie is nobody's business, and hashing gigabytes is not done for a
// list.
ordered_json models(const NativeParts& parts) {
  ordered_json list = ordered_json::array();
  for (const ListedModel& model : parts.models()) {
    if (!makes_pictures(model)) continue;
    list.push_back({{"title", model.name},
                    {"model_name", model.name},
                    {"hash", nullptr},
                    {"sha256", nullptr},
                    {"filename", model.name},
                    {"config", nullptr}});
  }
  return list;
}

// Names as prompts have them, <lora:NAME:1>. No file is opened for a list, so nothing is known of what stands
// in it.
ordered_json loras(const NativeParts& parts) {
  ordered_json list = ordered_json::array();
  for (const ListedLora& lora : parts.loras())
    list.push_back({{"name", lora.name},
                    {"alias", lora.name},
                    {"path", lora.name},
                    {"metadata", ordered_json::object()}});
  return list;
}

ordered_json parameters_json(const std::string& text) {
  const A1111Parameters parsed = parse_a1111_parameters(text);
  ordered_json json = {{"Prompt", parsed.prompt}, {"Negative prompt", parsed.negative_prompt}};
  for (const auto& [name, value] : parsed.settings) json[name] = value;
  return json;
}

HttpResponse png_info(const HttpRequest& request) {
  const nlohmann::json body = parse_json_body(request.body);
  JsonFields fields(body);
  const std::string text = fields.required_text("image", kMostPictureText);
  const Metadata metadata = read_metadata(*hold_picture("image", a1111_picture_bytes(text, "image")));
  ordered_json items = ordered_json::object();
  if (!metadata.parameters.empty()) items["parameters"] = metadata.parameters;
  if (!metadata.snug_json.empty()) items["snug"] = metadata.snug_json;
  for (const auto& [name, value] : metadata.others) items[name] = value;
  return json_response(
      200, dump_json({{"info", metadata.parameters},
                      {"items", std::move(items)},
                      {"parameters", metadata.parameters.empty() ? ordered_json::object()
                                                                 : parameters_json(metadata.parameters)}}));
}

}  // namespace

std::vector<Route> a1111_list_routes(const NativeParts& parts) {
  const auto get = [](std::string_view path, auto make) {
    return Route{
        .method = "GET",
        .path = std::string(path),
        .scope = Scope::kRead,
        .errors = ErrorForm::kA1111,
        .handle = [make](const HttpRequest&) -> Reply { return json_response(200, dump_json(make())); }};
  };
  // Lists are looked up anew each time.
  const auto refresh = [](std::string_view path) {
    return Route{.method = "POST",
                 .path = std::string(path),
                 .scope = Scope::kRead,
                 .errors = ErrorForm::kA1111,
                 .body = RouteBody::kAnyJson,
                 .handle = [](const HttpRequest&) -> Reply { return json_response(200, "null"); }};
  };
  std::vector<Route> routes = {
      get("/sdapi/v1/samplers", samplers),
      get("/sdapi/v1/schedulers", schedulers),
      get("/sdapi/v1/sd-models", [parts] { return models(parts); }),
      get("/sdapi/v1/loras", [parts] { return loras(parts); }),
      {.method = "POST",
       .path = "/sdapi/v1/png-info",
       .scope = Scope::kRead,
       .errors = ErrorForm::kA1111,
       .body = RouteBody::kJson,
       .needs_body = true,
       .handle = [](const HttpRequest& request) -> Reply { return png_info(request); }},
      refresh("/sdapi/v1/refresh-checkpoints"),
      refresh("/sdapi/v1/refresh-loras"),
  };
  for (const EmptyAnswer& answer : kEmptyAnswers)
    routes.push_back(get(answer.path, [json = answer.json] { return ordered_json::parse(json); }));
  return routes;
}

}  // namespace snug
