// POST /api/v1/plan and /api/v1/jobs; GET and DELETE of jobs; their pictures.
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "server/byte_range.h"
#include "server/http_error.h"
#include "server/json_body.h"
#include "server/native/native_json.h"
#include "server/native/native_routes.h"
#include "server/native/submission_json.h"
#include "server/submit_job.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kMostListed = 500;

Reply plan(const NativeParts& parts, const HttpRequest& request) {
  const nlohmann::json body = parse_json_body(request.body);
  return json_response(200, parts.service.plan(submission_from_json(body, request, parts)));
}

Reply submit(const NativeParts& parts, const HttpRequest& request) {
  const nlohmann::json body = parse_json_body(request.body);
  const Job job = submit_job(parts.service, submission_from_json(body, request, parts));
  HttpResponse response = json_response(202, dump_json(job_json(job)));
  response.headers.set("Location", "/api/v1/jobs/" + job.id);
  return response;
}

Reply list_jobs(const NativeParts& parts, const HttpRequest& request) {
  QueryFields query(request.query);
  JobQuery wanted;
  wanted.owner = visible_owner(request);
  if (const std::optional<std::string> state = query.text("state")) {
    wanted.state = job_state_named(*state);
    if (!wanted.state.has_value()) {
      throw invalid_field("state", "'state' must be queued, planned, running, done, failed or cancelled");
    }
  }
  wanted.limit = static_cast<int>(query.integer("limit", 1, kMostListed).value_or(50));
  wanted.before = query.text("before").value_or("");
  wanted.search = query.text("search").value_or("");
  query.finish();
  ordered_json list = ordered_json::array();
  const std::vector<Job> jobs = parts.service.jobs(wanted);
  for (const Job& job : jobs) list.push_back(job_json(job));
  // As many as were asked for: there may be more, older than the last.
  const bool more = jobs.size() == static_cast<size_t>(wanted.limit);
  return json_response(200,
                       dump_json({{"jobs", std::move(list)},
                                  {"next_before", more ? ordered_json(jobs.back().id) : ordered_json()}}));
}

Reply show_job(const NativeParts& parts, const HttpRequest& request) {
  return json_response(
      200, dump_json(job_json(parts.service.job(request.parameter("id"), visible_owner(request)))));
}

Reply cancel_job(const NativeParts& parts, const HttpRequest& request) {
  const Job job = parts.service.cancel(request.parameter("id"), visible_owner(request));
  return json_response(has_ended(job.state) ? 200 : 202, dump_json(job_json(job)));
}

int picture_number(const HttpRequest& request) {
  const std::string& text = request.parameter("n");
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    throw HttpError(404, "not_found", "pictures are numbered from 0", "see the job's images");
  }
  return number;
}

HttpResponse whole_picture(PictureBytes picture) {
  HttpResponse response = empty_response(200);
  response.headers.set("Content-Type", std::string(picture.media_type));
  // A job's pictures never change.
  response.headers.set("Cache-Control", "private, max-age=31536000, immutable");
  if (!picture.digest.empty()) response.headers.set("ETag", fmt::format("\"{}\"", picture.digest));
  response.bytes = std::make_shared<const std::vector<std::byte>>(std::move(picture.bytes));
  return response;
}

Reply job_picture(const NativeParts& parts, const HttpRequest& request) {
  return part_asked_for(request,
                        whole_picture(parts.service.picture(request.parameter("id"), picture_number(request),
                                                            visible_owner(request))));
}

Reply job_poster(const NativeParts& parts, const HttpRequest& request) {
  return whole_picture(
      parts.service.poster(request.parameter("id"), picture_number(request), visible_owner(request)));
}

}  // namespace

std::vector<Route> job_routes(const NativeParts& parts) {
  const auto bound = [&parts](Reply (*handle)(const NativeParts&, const HttpRequest&)) {
    return [parts, handle](const HttpRequest& request) { return handle(parts, request); };
  };
  return {
      {.method = "POST",
       .path = "/api/v1/plan",
       .scope = Scope::kRead,
       .body = RouteBody::kJson,
       .needs_body = true,
       .handle = bound(plan)},
      {.method = "POST",
       .path = "/api/v1/jobs",
       .scope = Scope::kGenerate,
       .body = RouteBody::kJson,
       .needs_body = true,
       .handle = bound(submit)},
      {.method = "GET", .path = "/api/v1/jobs", .scope = Scope::kRead, .handle = bound(list_jobs)},
      {.method = "GET", .path = "/api/v1/jobs/{id}", .scope = Scope::kRead, .handle = bound(show_job)},
      {.method = "DELETE",
       .path = "/api/v1/jobs/{id}",
       .scope = Scope::kGenerate,
       .handle = bound(cancel_job)},
      {.method = "GET",
       .path = "/api/v1/jobs/{id}/images/{n}",
       .scope = Scope::kRead,
       .handle = bound(job_picture)},
      {.method = "GET",
       .path = "/api/v1/jobs/{id}/images/{n}/poster",
       .scope = Scope::kRead,
       .handle = bound(job_poster)},
  };
}

}  // namespace snug
