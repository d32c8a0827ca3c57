#include "jobs/local_service.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "base/error.h"
#include "base/log.h"
#include "jobs/admission.h"
#include "jobs/clip_poster.h"
#include "jobs/engine.h"
#include "jobs/housekeeping.h"
#include "jobs/result_cache.h"
#include "jobs/run_figures.h"
#include "jobs/secret.h"
#include "jobs/upload_store.h"
#include "media/decode_picture.h"
#include "pipeline/latent_preview_file.h"
#include "pipeline/plan_heading.h"
#include "plan/plan_figures.h"
#include "plan/plan_json.h"

namespace snug {
namespace {

class LocalService final : public Service {
 public:
  LocalService(const ServiceOptions& options, Database& database)
      : options_(options),
        database_(database),
        jobs_(database),
        uploads_(database),
        caches_(database, {{"results", options.results}}),
        blobs_((std::filesystem::path(options.data_folder) / "blobs").string()),
        decodings_((std::filesystem::path(options.data_folder) / "decoding").string()),
        conditioning_(options.conditioning),
        preparer_(options_, blobs_),
        admission_(options_) {
    const Recovered recovered = jobs_.recover();
    if (recovered.queued > 0) log::info("{} jobs that were under way are queued again", recovered.queued);
    engine_.emplace(EngineParts{options_, jobs_, blobs_, caches_, conditioning_, preparer_, admission_,
                                events_, previews_, decodings_});
    housekeeping_.emplace(options_.housekeeping,
                          HousekeepingParts{database_, jobs_, uploads_, caches_, blobs_, decodings_});
  }

  Job submit(const Submission& submission) override;

  Job job(const std::string& id, const std::string& owner) override { return own(jobs_.get(id), owner); }
  std::vector<Job> jobs(const JobQuery& query) override { return jobs_.list(query); }

  Job cancel(const std::string& id, const std::string& owner) override {
    own(jobs_.get(id), owner);
    const Job before = jobs_.request_cancel(id);
    if (before.state == JobState::kCancelled) events_.publish({before, nullptr});
    if (!has_ended(before.state)) engine_->cancel(id);
    return jobs_.get(id);
  }

  std::unique_ptr<Subscription> subscribe(const std::string& id, const std::string& owner,
                                          std::function<void(const JobEvent&)> receive) override {
    if (!id.empty()) own(jobs_.get(id), owner);
    return events_.subscribe(id, owner, std::move(receive));
  }

  std::string plan(const Submission& submission) override;

  PictureBytes picture(const std::string& job, int number, const std::string& owner) override {
    const JobPicture picture = picture_of(job, number, owner);
    return {blobs_.get(picture.blob), media_type(picture), picture.blob};
  }
  PictureBytes poster(const std::string& job, int number, const std::string& owner) override {
    const JobPicture picture = picture_of(job, number, owner);
    if (!picture.clip.has_value() || picture.clip->poster.empty())
      throw Error(ErrorCode::kNotFound, "there is no poster", "see poster_url in the job's images");
    return {blobs_.get(picture.clip->poster), media_type(kPosterFormat), picture.clip->poster};
  }

  std::string upload(std::vector<std::byte> bytes, const std::string& owner) override {
    const auto source = view_memory("the upload", bytes);
    const Picture picture = decode_picture(*source);
    Upload upload;
    upload.format = format_from_bytes(bytes);
    upload.blob = blobs_.put(bytes);
    upload.owner = owner;
    upload.bytes = static_cast<int64_t>(bytes.size());
    upload.width = picture.width;
    upload.height = picture.height;
    uploads_.add(upload);
    return upload.blob;
  }
  PictureBytes uploaded(const std::string& id, const std::string& owner) override {
    const Upload upload = uploads_.get(id, owner);
    return {blobs_.get(upload.blob), media_type(upload.format), upload.blob};
  }

  std::vector<CacheFigures> cache_figures() override;
  void clear_cache(const std::string& kind) override;
  QueueFigures queue_figures() override { return jobs_.queue_figures(admission_.budget_bytes()); }

 private:
  // Another owner's job is not there; with no owner, as without tokens, all are.
  static Job own(Job job, const std::string& owner) {
    if (!owner.empty() && job.owner != owner)
      throw Error(ErrorCode::kNotFound, fmt::format("there is no job {}", job.id), "list the jobs");
    return job;
  }

  JobPicture picture_of(const std::string& job, int number, const std::string& owner) {
    const Job found = own(jobs_.get(job), owner);
    if (number < 0 || static_cast<size_t>(number) >= found.pictures.size()) {
      throw Error(ErrorCode::kNotFound, fmt::format("the job has no picture {}", number),
                  fmt::format("it has {}", found.pictures.size()));
    }
    return found.pictures[static_cast<size_t>(number)];
  }

  static RequestFields fields_of(const Submission& submission) {
    RequestFields fields = submission.fields;
    if (!submission.preset.empty()) fields.preset = submission.preset;
    if (submission.time_seconds.has_value()) fields.time_seconds = submission.time_seconds;
    return fields;
  }

  const ServiceOptions options_;
  Database& database_;
  JobStore jobs_;
  UploadStore uploads_;
  CacheStore caches_;
  BlobStore blobs_;
  DecodeFolders decodings_;
  ConditioningCache conditioning_;
  JobPreparer preparer_;
  Admission admission_;
  EventHub events_;
  PreviewMaker previews_{latent_previews_path()};
  std::optional<Engine> engine_;              // uses all of the above
  std::optional<Housekeeping> housekeeping_;  // last: likewise
};

Job LocalService::submit(const Submission& submission) {
  const auto prepared = preparer_.prepare(fields_of(submission));
  NewJob added;
  Job& job = added.job;
  job.owner = submission.owner;
  job.api = submission.api;
  job.priority = submission.priority;
  if (submission.deadline_seconds.has_value())
    job.deadline_ms = database_.now_ms() + static_cast<int64_t>(*submission.deadline_seconds * 1000);
  job.request = prepared->json;
  job.address = prepared->addresses.front();
  job.pictures_asked = static_cast<int64_t>(prepared->made.size());
  job.previews = submission.previews;
  job.idempotency_key = submission.idempotency_key;
  if (!job.idempotency_key.empty()) job.request_digest = sha256_hex(prepared->asked);
  added.prompt = prepared->fields.prompt;
  added.inputs = prepared->inputs;
  added.record = asked_record(*prepared);
  job.pictures = cached_pictures(*prepared, caches_);
  if (!job.pictures.empty()) {
    job.state = JobState::kDone;
    job.from_cache = true;
  } else {
    const JobPlan plan = admission_.plan(prepared->fields, *prepared->model);
    job.planned_peak_bytes = plan.peak_bytes;
    job.planned_seconds = plan.seconds;
    job.steps = plan.steps;
  }
  const AddedJob accepted = jobs_.add(added, options_.most_queued);
  if (!accepted.was_there) events_.publish({accepted.job, nullptr});
  if (accepted.job.state == JobState::kQueued) engine_->wake();
  return accepted.job;
}

std::string LocalService::plan(const Submission& submission) {
  const auto prepared = preparer_.prepare(fields_of(submission));
  const FittedRun fitted = admission_.fit(prepared->fields, *prepared->model);
  const PlanFigures figures = plan_figures(fitted.run.plan, nullptr, options_.rates);
  nlohmann::ordered_json json = plan_heading_json(fitted, *prepared->model);
  json.erase("scratch_folder");  // where it lies is nobody's business
  if (prepared->promise.has_value()) json["time"] = promise_json(*prepared->promise);
  json.update(plan_json(fitted.run.plan, figures, false));
  return json.dump();
}

std::vector<CacheFigures> LocalService::cache_figures() {
  std::vector<CacheFigures> all = caches_.figures();
  const LruFigures own = conditioning_.entries().figures();
  CacheFigures conditioning;
  conditioning.kind = "conditioning";
  conditioning.entries = own.entries;
  conditioning.bytes = own.bytes;
  conditioning.limit_bytes = options_.conditioning.bytes;
  conditioning.ttl_seconds = options_.conditioning.ttl_seconds;
  conditioning.hits = own.hits;
  conditioning.misses = own.misses;
  conditioning.evictions = own.evictions;
  all.push_back(conditioning);
  CacheFigures models = engine_->kept_figures();
  models.limit_bytes =
      static_cast<int64_t>(static_cast<double>(admission_.budget_bytes()) * options_.models_share);
  all.push_back(models);
  return all;
}

void LocalService::clear_cache(const std::string& kind) {
  const auto is = [&](std::string_view own) { return kind.empty() || kind == own; };
  if (!is("results") && !is("conditioning") && !is("models"))
    throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no cache '{}'", kind),
                "name results, conditioning or models");
  if (is("results")) {
    for (const std::string& blob : caches_.clear("results")) blobs_.remove(blob);
  }
  if (is("conditioning")) conditioning_.entries().clear();
  if (is("models")) engine_->drop_kept();
}

}  // namespace

std::unique_ptr<Service> make_local_service(const ServiceOptions& options, Database& database) {
  return std::make_unique<LocalService>(options, database);
}

}  // namespace snug
