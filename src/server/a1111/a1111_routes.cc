// POST /sdapi/v1/txt2img, img2img, interrupt, options; GET progress, options.
#include "server/a1111/a1111_routes.h"

#include <iterator>
#include <map>
#include <memory>
#include <mutex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/byte_source.h"
#include "base/error.h"
#include "media/metadata.h"
#include "server/a1111/a1111_request.h"
#include "server/http_error.h"
#include "server/job_answer.h"
#include "server/json_body.h"
#include "server/native/native_json.h"
#include "server/native/native_routes.h"
#include "server/submit_job.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr int kMostLookedAt = 500;

// The newest preview of a job, for as long as its client waits for it.
class NewestPreview {
 public:
  using Png = std::shared_ptr<const std::vector<std::byte>>;
  void set(Png png) {
    const std::scoped_lock lock(mutex_);
    png_ = std::move(png);
  }
  Png get() const {
    const std::scoped_lock lock(mutex_);
    return png_;
  }

 private:
  mutable std::mutex mutex_;
  Png png_;  // null: none yet
};

// What all routes of one server share. A1111 has one set of options for everybody; here each token has its
// own, so that nobody changes what others get. They last as long as the server runs.
struct Shared {
  explicit Shared(const NativeParts& with) : parts(with), answers(with.service, ErrorForm::kA1111) {}

  A1111Settings settings_of(const std::string& owner) {
    const std::scoped_lock lock(mutex);
    return settings[owner];
  }

  // Hears the job's previews until the function is destroyed.
  JobAnswers::Hear hear_previews(const std::string& job) {
    const auto newest = std::make_shared<NewestPreview>();
    const std::scoped_lock lock(mutex);
    std::erase_if(previews, [](const auto& each) { return each.second.expired(); });
    previews[job] = newest;
    return [newest](const JobEvent& event) {
      if (event.preview != nullptr) newest->set(event.preview);
    };
  }
  NewestPreview::Png preview_of(const std::string& job) {
    const std::scoped_lock lock(mutex);
    const auto found = previews.find(job);
    const auto newest = found == previews.end() ? nullptr : found->second.lock();
    return newest == nullptr ? nullptr : newest->get();
  }

  NativeParts parts;
  std::mutex mutex;
  std::map<std::string, A1111Settings> settings;                 // of tokens that exist: a handful
  std::map<std::string, std::weak_ptr<NewestPreview>> previews;  // by job
  JobAnswers answers;                                            // last: its thread uses the others
};

// "info": what was done, as JSON inside a text.
std::string info_text(const Job& job, const std::vector<PictureBytes>& pictures) {
  const ordered_json request = ordered_json::parse(job.request, nullptr, /*allow_exceptions=*/false);
  const auto asked = [&](std::string_view name) {
    return request.is_object() ? request.value(std::string(name), ordered_json()) : ordered_json();
  };
  const auto text = [&](std::string_view name) {
    return asked(name).is_string() ? asked(name) : ordered_json("");
  };
  ordered_json seeds = ordered_json::array(), infotexts = ordered_json::array();
  for (const JobPicture& picture : job.pictures) seeds.push_back(picture.seed);
  for (const PictureBytes& picture : pictures) {
    std::string parameters;
    try {
      parameters = read_metadata(*view_memory("picture", picture.bytes)).parameters;
    } catch (const Error&) {
      // The picture is what was asked for; the text is an extra.
    }
    infotexts.push_back(std::move(parameters));
  }
  const size_t count = job.pictures.size();
  const ordered_json width = count > 0 ? ordered_json(job.pictures[0].width) : ordered_json();
  const ordered_json height = count > 0 ? ordered_json(job.pictures[0].height) : ordered_json();
  return dump_json({{"prompt", text("prompt")},
                    {"all_prompts", ordered_json(count, text("prompt"))},
                    {"negative_prompt", text("negative_prompt")},
                    {"all_negative_prompts", ordered_json(count, text("negative_prompt"))},
                    {"seed", count > 0 ? seeds[0] : ordered_json()},
                    {"all_seeds", seeds},
                    {"width", width},
                    {"height", height},
                    {"sampler_name", asked("sampler")},
                    {"cfg_scale", asked("guidance_scale")},
                    {"steps", asked("steps")},
                    {"batch_size", count},
                    {"sd_model_name", asked("model")},
                    {"clip_skip", asked("clip_skip")},
                    {"index_of_first_image", 0},
                    {"infotexts", std::move(infotexts)},
                    {"styles", ordered_json::array()}});
}

HttpResponse pictures_response(const Job& job, const std::string& owner, ordered_json parameters,
                               Service& service) {
  const std::vector<PictureBytes> pictures = pictures_of(job, owner, service);
  ordered_json images = ordered_json::array();
  for (const PictureBytes& picture : pictures) images.push_back(encode_base64(picture.bytes));
  return json_response(200, dump_json({{"images", std::move(images)},
                                       {"parameters", std::move(parameters)},
                                       {"info", info_text(job, pictures)}}));
}

Reply make_pictures(Shared& shared, const HttpRequest& request, bool with_picture) {
  const nlohmann::json body = parse_json_body(request.body);
  const Submission submission =
      a1111_submission(body, with_picture, request, shared.settings_of(request.owner), shared.parts);
  const Job job = submit_job(shared.parts.service, submission);
  ordered_json parameters = body;
  for (const std::string_view picture : {"init_images", "mask"}) {
    if (parameters.contains(picture)) parameters[std::string(picture)] = nullptr;  // as A1111 answers
  }
  return shared.answers.when_ended(
      job, request.owner,
      [parameters = std::move(parameters), owner = request.owner, &service = shared.parts.service](
          const Job& done) { return pictures_response(done, owner, parameters, service); },
      shared.hear_previews(job.id));
}

// The caller's jobs of this API in that state, newest first.
std::vector<Job> own_jobs(Service& service, const std::string& owner, JobState state) {
  std::vector<Job> jobs =
      service.jobs({.owner = owner, .state = state, .search = {}, .before = {}, .limit = kMostLookedAt});
  std::erase_if(jobs, [](const Job& job) { return job.api != "a1111"; });
  return jobs;
}

HttpResponse progress(Shared& shared, const HttpRequest& request) {
  Service& service = shared.parts.service;
  const std::string owner = visible_owner(request);
  const std::vector<Job> running = own_jobs(service, owner, JobState::kRunning);
  size_t waiting = 0;
  for (const JobState state : {JobState::kQueued, JobState::kPlanned})
    waiting += own_jobs(service, owner, state).size();
  const Job now = running.empty() ? Job() : running.back();  // the one that began first
  const double share = now.steps > 0 ? static_cast<double>(now.step) / now.steps : 0.0;
  const ordered_json state = {{"skipped", false},
                              {"interrupted", false},
                              {"stopping_generation", false},
                              {"job", now.id},
                              {"job_count", running.size() + waiting},
                              {"job_timestamp", "0"},
                              {"job_no", 0},
                              {"sampling_step", now.step},
                              {"sampling_steps", now.steps}};
  // With a capital letter: Python's clients.
  const std::string_view skips = request.query.find("skip_current_image").value_or("false");
  const bool shows = skips != "true" && skips != "True" && skips != "1";
  const NewestPreview::Png preview = shows ? shared.preview_of(now.id) : nullptr;
  const ordered_json image = preview != nullptr ? ordered_json(encode_base64(*preview)) : ordered_json();
  return json_response(200, dump_json({{"progress", share},
                                       {"eta_relative", now.seconds_left.value_or(0)},
                                       {"state", state},
                                       {"current_image", image},
                                       {"textinfo", nullptr}}));
}

HttpResponse interrupt(Service& service, const std::string& owner) {
  for (const Job& job : own_jobs(service, owner, JobState::kRunning)) service.cancel(job.id, owner);
  return json_response(200, "null");
}

HttpResponse show_options(Shared& shared, const std::string& owner) {
  const A1111Settings settings = shared.settings_of(owner);
  const std::vector<ListedModel> models = shared.parts.models();
  const std::string model = settings.model.empty() && !models.empty() ? models.front().name : settings.model;
  return json_response(200, dump_json({{"sd_model_checkpoint", model},
                                       {"sd_checkpoint_hash", nullptr},
                                       {"sd_vae", "Automatic"},
                                       {"CLIP_stop_at_last_layers", settings.clip_skip.value_or(1)},
                                       {"samples_format", settings.format.value_or("png")}}));
}

HttpResponse set_options(Shared& shared, const HttpRequest& request) {
  const nlohmann::json body = parse_json_body(request.body);
  JsonFields fields(body);
  A1111Settings settings =
      read_a1111_settings(fields, shared.settings_of(request.owner), shared.parts.models());
  const std::scoped_lock lock(shared.mutex);
  shared.settings[request.owner] = std::move(settings);
  return json_response(200, "null");
}

}  // namespace

std::vector<Route> a1111_routes(const NativeParts& parts) {
  const auto shared = std::make_shared<Shared>(parts);
  const auto row = [](std::string_view method, std::string_view path, Scope scope, RouteBody body,
                      bool needs_body, std::function<Reply(const HttpRequest&)> handle) {
    return Route{.method = std::string(method),
                 .path = std::string(path),
                 .scope = scope,
                 .errors = ErrorForm::kA1111,
                 .body = body,
                 .needs_body = needs_body,
                 .handle = std::move(handle)};
  };
  std::vector<Route> routes = {
      row("POST", "/sdapi/v1/txt2img", Scope::kGenerate, RouteBody::kJson, true,
          [shared](const HttpRequest& request) { return make_pictures(*shared, request, false); }),
      row("POST", "/sdapi/v1/img2img", Scope::kGenerate, RouteBody::kJson, true,
          [shared](const HttpRequest& request) { return make_pictures(*shared, request, true); }),
      row("GET", "/sdapi/v1/progress", Scope::kRead, RouteBody::kNone, false,
          [shared](const HttpRequest& request) -> Reply { return progress(*shared, request); }),
      // Some clients send "{}" along.
      row("POST", "/sdapi/v1/interrupt", Scope::kGenerate, RouteBody::kAnyJson, false,
          [shared](const HttpRequest& request) -> Reply {
            return interrupt(shared->parts.service, request.owner);
          }),
      row("GET", "/sdapi/v1/options", Scope::kRead, RouteBody::kNone, false,
          [shared](const HttpRequest& request) -> Reply { return show_options(*shared, request.owner); }),
      row("POST", "/sdapi/v1/options", Scope::kGenerate, RouteBody::kJson, true,
          [shared](const HttpRequest& request) -> Reply { return set_options(*shared, request); }),
  };
  std::ranges::move(a1111_list_routes(parts), std::back_inserter(routes));
  return routes;
}

}  // namespace snug
