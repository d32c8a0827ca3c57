#include "server/native/native_json.h"

#include <chrono>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "server/error_form.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

template <class Value>
ordered_json or_null(const std::optional<Value>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json();
}

ordered_json parsed(const std::string& text) {
  ordered_json json = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? ordered_json() : json;
}

ordered_json picture_json(const Job& job, size_t number) {
  const JobPicture& picture = job.pictures[number];
  const std::string url = fmt::format("/api/v1/jobs/{}/images/{}", job.id, number);
  const std::optional<JobClip>& clip = picture.clip;
  const bool has_poster = clip.has_value() && !clip->poster.empty();
  return {{"number", number},
          {"kind", clip ? "video" : "picture"},
          {"url", url},
          {"media_type", media_type(picture)},
          {"bytes", picture.bytes},
          {"width", picture.width},
          {"height", picture.height},
          {"seed", fmt::format("{}", picture.seed)},
          {"frames", clip ? ordered_json(clip->frames) : ordered_json()},
          {"fps", clip ? ordered_json(clip->frames_per_second) : ordered_json()},
          {"poster_url", has_poster ? ordered_json(url + "/poster") : ordered_json()}};
}

ordered_json step_json(const Job& job) {
  return {{"step", job.step},
          {"steps", job.steps},
          {"stage", job.stage.empty() ? ordered_json() : ordered_json(job.stage)},
          {"frame", or_null(job.frame)},
          {"frames", or_null(job.frames)},
          {"predicted_seconds_left", or_null(job.seconds_left)}};
}

ordered_json failure_json(const Job& job) {
  if (!job.failure.has_value()) return {};
  return parsed(native_error_json(describe_failure(*job.failure)))["error"];
}

}  // namespace

std::string format_time(int64_t ms_since_1970) {
  using std::chrono::milliseconds;
  const milliseconds since(ms_since_1970);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(seconds.count())),
                     (since - seconds).count());
}

ordered_json time_json(std::optional<int64_t> ms_since_1970) {
  return ms_since_1970.has_value() ? ordered_json(format_time(*ms_since_1970)) : ordered_json();
}

ordered_json job_json(const Job& job) {
  ordered_json pictures = ordered_json::array();
  for (size_t i = 0; i < job.pictures.size(); ++i) pictures.push_back(picture_json(job, i));
  return {{"id", job.id},
          {"state", job_state_name(job.state)},
          {"api", job.api},
          {"priority", job.priority},
          {"created", format_time(job.created_ms)},
          {"started", time_json(job.started_ms)},
          {"finished", time_json(job.finished_ms)},
          {"deadline", time_json(job.deadline_ms)},
          {"attempts", job.attempts},
          {"cancel_requested", job.cancel_requested},
          {"from_cache", job.from_cache},
          {"planned_peak_bytes", or_null(job.planned_peak_bytes)},
          {"planned_seconds", or_null(job.planned_seconds)},
          {"progress", step_json(job)},
          {"request", parsed(job.request)},
          {"images", std::move(pictures)},
          {"error", failure_json(job)},
          {"report", parsed(job.report)}};
}

ordered_json progress_json(const Job& job) {
  return {{"id", job.id},
          {"state", job_state_name(job.state)},
          {"progress", step_json(job)},
          {"images", job.pictures.size()},
          {"error", failure_json(job)}};
}

ordered_json cache_json(const CacheFigures& figures) {
  return {{"kind", figures.kind},
          {"entries", figures.entries},
          {"bytes", figures.bytes},
          {"limit_bytes", figures.limit_bytes},
          {"ttl_seconds", or_null(figures.ttl_seconds)},
          {"hits", figures.hits},
          {"misses", figures.misses},
          {"evictions", figures.evictions}};
}

ordered_json queue_json(const QueueFigures& figures) {
  return {{"queued", figures.queued},
          {"planned", figures.planned},
          {"running", figures.running},
          {"reserved_bytes", figures.reserved_bytes},
          {"budget_bytes", figures.budget_bytes},
          {"predicted_wait_seconds", or_null(figures.wait_seconds)}};
}

ordered_json token_json(const Token& token) {
  ordered_json scopes = ordered_json::array();
  for (const Scope scope : {Scope::kRead, Scope::kGenerate, Scope::kAdmin}) {
    if (has_scope(token.scopes, scope)) scopes.push_back(scope_name(scope));
  }
  return {{"id", token.id},
          {"name", token.name},
          {"scopes", std::move(scopes)},
          {"quota_pictures_per_day", or_null(token.quotas.pictures)},
          {"quota_seconds_per_day", or_null(token.quotas.seconds)},
          {"quota_bytes_per_day", or_null(token.quotas.bytes)},
          {"created", format_time(token.created_ms)},
          {"revoked", time_json(token.revoked_ms)},
          {"last_used", time_json(token.last_used_ms)}};
}

std::string dump_json(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace snug
