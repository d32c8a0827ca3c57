#include "server/openai/openai_routes.h"

#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "server/http_error.h"
#include "server/job_answer.h"
#include "server/json_body.h"
#include "server/native/native_json.h"
#include "server/native/submission_json.h"
#include "server/openai/openai_request.h"
#include "server/submit_job.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// By the name that the client used for this server: links must lead back to it.
std::string address_of(const HttpRequest& request) {
  return fmt::format("{}://{}", request.is_tls ? "https" : "http",
                     request.headers.find("Host").value_or("localhost"));
}

struct AnswerForm {
  bool wants_url = false;
  std::string address, owner, format, quality;
};

HttpResponse pictures_response(const Job& job, const AnswerForm& form, Service& service) {
  ordered_json data = ordered_json::array();
  if (form.wants_url) {
    for (size_t i = 0; i < job.pictures.size(); ++i)
      data.push_back({{"url", fmt::format("{}/api/v1/jobs/{}/images/{}", form.address, job.id, i)}});
  } else {
    for (const PictureBytes& picture : pictures_of(job, form.owner, service))
      data.push_back({{"b64_json", encode_base64(picture.bytes)}});
  }
  ordered_json body = {{"created", job.finished_ms.value_or(job.created_ms) / 1000},
                       {"data", std::move(data)},
                       {"background", "opaque"},
                       {"output_format", form.format},
                       {"quality", form.quality}};
  if (!job.pictures.empty())
    body["size"] = fmt::format("{}x{}", job.pictures[0].width, job.pictures[0].height);
  return json_response(200, dump_json(body));
}

Reply make_pictures(const OpenaiRequest& asked, const HttpRequest& request, Service& service,
                    JobAnswers& answers) {
  const AnswerForm form = {.wants_url = asked.wants_url,
                           .address = address_of(request),
                           .owner = request.owner,
                           .format = asked.format,
                           .quality = asked.quality};
  return answers.when_ended(
      submit_job(service, asked.submission), request.owner,
      [form, &service](const Job& done) { return pictures_response(done, form, service); });
}

// When a model was made is not known; the field is required, and its clients' types have no null.
ordered_json model_json(const ListedModel& model) {
  return {{"id", model.name}, {"object", "model"}, {"created", 0}, {"owned_by", "snug"}};
}

HttpResponse list_models(const NativeParts& parts) {
  ordered_json data = ordered_json::array();
  for (const ListedModel& model : parts.models()) {
    if (makes_pictures(model)) data.push_back(model_json(model));
  }
  return json_response(200, dump_json({{"object", "list"}, {"data", std::move(data)}}));
}

HttpResponse show_model(const NativeParts& parts, const std::string& name) {
  const std::vector<ListedModel> models = parts.models();
  for (const ListedModel& model : models) {
    if (model.name == name && makes_pictures(model)) return json_response(200, dump_json(model_json(model)));
  }
  throw HttpError(404, "model_not_found", "there is no model of that name", "see /v1/models").at("model");
}

}  // namespace

std::vector<Route> openai_routes(const NativeParts& parts) {
  const auto answers = std::make_shared<JobAnswers>(parts.service, ErrorForm::kOpenai);
  constexpr ErrorForm kForm = ErrorForm::kOpenai;
  return {
      {.method = "POST",
       .path = "/v1/images/generations",
       .scope = Scope::kGenerate,
       .errors = kForm,
       .body = RouteBody::kJson,
       .needs_body = true,
       .handle =
           [parts, answers](const HttpRequest& request) {
             const nlohmann::json body = parse_json_body(request.body);
             return make_pictures(openai_generation(body, request, parts), request, parts.service, *answers);
           }},
      {.method = "POST",
       .path = "/v1/images/edits",
       .scope = Scope::kGenerate,
       .errors = kForm,
       .body = RouteBody::kForm,
       .needs_body = true,
       .handle =
           [parts, answers](const HttpRequest& request) {
             return make_pictures(openai_edit(request, parts), request, parts.service, *answers);
           }},
      {.method = "GET",
       .path = "/v1/models",
       .scope = Scope::kRead,
       .errors = kForm,
       .handle = [parts](const HttpRequest&) -> Reply { return list_models(parts); }},
      {.method = "GET",
       .path = "/v1/models/{id}",
       .scope = Scope::kRead,
       .errors = kForm,
       .handle = [parts](const HttpRequest& request) -> Reply {
         return show_model(parts, request.parameter("id"));
       }},
  };
}

}  // namespace snug
