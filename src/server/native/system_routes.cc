// GET /api/v1/health, ready, system, models, loras, samplers; /metrics and /openapi.json.
#include <nlohmann/json.hpp>

#include "base/version.h"
#include "sampling/sampler_list.h"
#include "server/http_error.h"
#include "server/native/native_json.h"
#include "server/native/native_routes.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

HttpResponse health() { return json_response(200, dump_json({{"status", "ok"}, {"version", kVersion}})); }

HttpResponse ready(const NativeParts& parts) {
  const std::optional<std::string> reason = parts.unready();
  const ordered_json json = {{"ready", !reason.has_value()},
                             {"reason", reason.has_value() ? ordered_json(*reason) : ordered_json()},
                             {"queue", queue_json(parts.service.queue_figures())}};
  return json_response(reason.has_value() ? 503 : 200, dump_json(json));
}

template <class Value>
ordered_json or_null(const std::optional<Value>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json();
}
ordered_json or_null(const std::string& text) { return text.empty() ? ordered_json() : ordered_json(text); }

ordered_json video_json(const std::optional<ClipFacts>& clip) {
  if (!clip.has_value()) return {};
  return {{"frames", clip->frames},           {"frames_multiple", clip->frames_multiple},
          {"fps", clip->frames_per_second},   {"width", clip->width},
          {"height", clip->height},           {"size_multiple", clip->size_multiple_px},
          {"takes_image", clip->takes_image}, {"takes_last_image", clip->takes_last_image},
          {"experts", clip->experts}};
}

HttpResponse models(const NativeParts& parts) {
  ordered_json list = ordered_json::array();
  for (const ListedModel& model : parts.models()) {
    list.push_back({{"name", model.name},
                    {"title", or_null(model.title)},
                    {"architecture", or_null(model.architecture)},
                    {"embedded", model.embedded},
                    {"parameters", or_null(model.parameters)},
                    {"bytes", or_null(model.bytes)},
                    {"native_size_px", or_null(model.native_size_px)},
                    {"video", video_json(model.video)},
                    {"problem", or_null(model.problem)}});
  }
  return json_response(200, dump_json({{"models", std::move(list)}}));
}

HttpResponse loras(const NativeParts& parts) {
  ordered_json list = ordered_json::array();
  for (const ListedLora& lora : parts.loras()) list.push_back({{"name", lora.name}, {"bytes", lora.bytes}});
  return json_response(200, dump_json({{"loras", std::move(list)}}));
}

HttpResponse samplers() {
  ordered_json list = ordered_json::array(), schedules = ordered_json::array();
  for (const SamplerInfo& sampler : sampler_list()) {
    list.push_back({{"name", sampler.name},
                    {"a1111_label", sampler.a1111_label},
                    {"diffusers_class", sampler.diffusers_class},
                    {"alias", sampler.alias.empty() ? ordered_json() : ordered_json(sampler.alias)},
                    {"stochastic", sampler.stochastic},
                    {"flow", samples_flow(sampler.kind)},
                    {"flow_alone", sampler.kind == SamplerKind::kFlowEuler}});
  }
  for (const ScheduleInfo& schedule : schedule_list()) {
    schedules.push_back({{"name", schedule.name}, {"label", schedule.label}});
  }
  return json_response(200, dump_json({{"samplers", std::move(list)}, {"schedules", std::move(schedules)}}));
}

}  // namespace

std::vector<Route> system_routes(const NativeParts& parts) {
  const auto get = [](std::string_view path, std::optional<Scope> scope, auto handle) {
    return Route{.method = "GET", .path = std::string(path), .scope = scope, .handle = std::move(handle)};
  };
  return {
      // Open to everybody: monitors have no token, and it says nothing.
      get("/api/v1/health", {}, [](const HttpRequest&) -> Reply { return health(); }),
      get("/api/v1/ready", Scope::kRead, [parts](const HttpRequest&) -> Reply { return ready(parts); }),
      get("/api/v1/system", Scope::kRead,
          [parts](const HttpRequest&) -> Reply { return json_response(200, parts.system_json()); }),
      get("/api/v1/models", Scope::kRead, [parts](const HttpRequest&) -> Reply { return models(parts); }),
      get("/api/v1/loras", Scope::kRead, [parts](const HttpRequest&) -> Reply { return loras(parts); }),
      get("/api/v1/samplers", Scope::kRead, [](const HttpRequest&) -> Reply { return samplers(); }),
      get("/metrics", Scope::kRead,
          [parts](const HttpRequest&) -> Reply {
            return text_response(200, "text/plain; version=0.0.4; charset=utf-8", parts.metrics_text());
          }),
      get("/openapi.json", {},
          [](const HttpRequest&) -> Reply { return json_response(200, std::string(openapi_json())); }),
  };
}

}  // namespace snug
