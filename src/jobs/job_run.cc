#include "jobs/job_run.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "jobs/clip_poster.h"
#include "jobs/failed_job.h"
#include "jobs/result_cache.h"
#include "jobs/run_observer.h"

namespace snug {
namespace {

// Frames of a small clip come by the hundred a second, and nobody reads as many messages.
constexpr double kFrameSeconds = 0.1;

}  // namespace

JobRun::JobRun(const EngineParts& parts, ReadyRun ready, ComputeTurns& turns, StopSignal& stop,
               Generated generated)
    : parts_(parts),
      ready_(std::move(ready)),
      pictures_(batch_pictures(ready_.batch)),
      stop_(stop),
      generated_(std::move(generated)),
      turn_(turns, ready_.order, ready_.kept->cancellation),
      pace_(parts.options.checkpoint_seconds) {}

bool JobRun::cancel(const std::string& id) {
  std::unique_lock lock(mutex_);
  const auto found = std::find_if(ready_.batch.begin(), ready_.batch.end(),
                                  [&](const BatchJob& job) { return job.job.id == id && !job.left; });
  if (found == ready_.batch.end()) return false;
  // When this fails the job goes on, and may be asked for again.
  if (const auto job = parts_.jobs.cancelled(id, 0)) parts_.events.publish({*job, nullptr});
  found->left = true;
  const bool last =
      std::all_of(ready_.batch.begin(), ready_.batch.end(), [](const BatchJob& job) { return job.left; });
  lock.unlock();
  if (last) cut_off();
  return true;
}

void JobRun::cut_off() {
  const std::scoped_lock lock(mutex_);
  if (generating_) ready_.kept->cancellation.request();
}

void JobRun::run() {
  const Stopwatch watch;
  std::optional<GenerateResult> result;
  std::optional<Error> failure;
  double remake_seconds = 0;
  if (parts_.options.observer != nullptr) observed_ = parts_.options.observer->run_began();
  try {
    RequestFields fields = ready_.fields;
    fields.memory = parts_.admission.memory_of(fields);
    const std::optional<RunCheckpoint> resume = checkpoint_of(ready_.batch.front().job);
    result = generate(fields, options(resume));
    remake_seconds = result->report.plan_seconds + result->report.load_seconds +
                     static_cast<double>(result->report.read_bytes) / parts_.options.rates.read_bytes;
  } catch (const Error& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Error(ErrorCode::kInternal, error.what());
  }
  turn_.give();
  {
    const std::scoped_lock lock(mutex_);
    generating_ = false;
  }
  generated_(ready_, remake_seconds);
  // What other runs computed meanwhile is not this one's to pay.
  const double seconds = watch.seconds() - turn_.waited_seconds();
  if (result.has_value()) {
    settle(*result, seconds);
  } else {
    settle(*failure, seconds);
  }
  drop_decodings();
}

// Of jobs that are over, whoever ended them. What is missed here housekeeping finds.
void JobRun::drop_decodings() {
  for (const BatchJob& job : ready_.batch) {
    if (!job.prepared->request.is_clip) continue;
    try {
      if (has_ended(parts_.jobs.get(job.job.id).state)) parts_.decodings.remove(job.job.id);
    } catch (const Error& error) {
      log::warn("what was kept of the decoding of job {} stays for now: {}", job.job.id, error.what());
    }
  }
}

std::optional<RunCheckpoint> JobRun::checkpoint_of(const Job& job) {
  if (job.checkpoint.empty()) return std::nullopt;
  try {
    const std::vector<std::byte> bytes = parts_.blobs.get(job.checkpoint);
    return read_checkpoint(*view_memory("checkpoint", bytes));
  } catch (const Error& error) {
    log::warn("job {} begins anew: {}", job.id, error.what());
    return std::nullopt;
  }
}

GenerateOptions JobRun::options(const std::optional<RunCheckpoint>& resume) {
  GenerateOptions options;
  options.rates = parts_.options.rates;
  options.cancellation = &ready_.kept->cancellation;
  options.model = ready_.model;
  options.kept = &ready_.kept->run;
  options.conditioning = &parts_.conditioning;
  options.turn = &turn_;
  options.refine_rates = ready_.keeps_history;
  if (resume.has_value()) options.resume = &*resume;
  options.progress = [this](const Progress& progress) { tell(progress); };
  options.checkpoint_due = [this](int) { return checkpoint_due(); };
  options.checkpoint = [this](const RunCheckpoint& checkpoint) { keep(checkpoint); };
  const BatchJob& first = ready_.batch.front();
  if (ready_.batch.size() == 1 && first.prepared->request.is_clip) {
    options.decode_checkpoint = parts_.decodings.of(first.job.id);
    options.decode_kept = [this](int64_t) { decode_kept(); };
  }
  // Latents of clips have no projection.
  if (std::any_of(ready_.batch.begin(), ready_.batch.end(),
                  [](const BatchJob& job) { return job.job.previews && !job.prepared->request.is_clip; }))
    options.preview = [this](const HostTensor& latents, int) { preview(latents); };
  options.decoded = [this](const HostTensor& latents, const HostTensor& images) {
    const Stopwatch watch;
    parts_.previews.learn(*ready_.model, latents, images);
    learning_seconds_ = watch.seconds();
  };
  options.frame = [this](const Picture& frame, int64_t number) {
    if (number == 0) make_poster(frame);
  };
  options.report = [this](const RunReport& report) {
    report_ = report;
    if (parts_.options.observer != nullptr) use_ = parts_.options.observer->run_ended(observed_, report);
  };
  return options;
}

bool JobRun::is_told(const Progress& progress) {
  if (progress.stage != "decode" || progress.done == 0) return true;
  if (progress.done < progress.total && since_frame_.seconds() < kFrameSeconds) return false;
  since_frame_ = Stopwatch();
  return true;
}

void JobRun::tell(const Progress& progress) {
  if (!is_told(progress)) return;
  const bool steps = progress.stage == "denoise" && progress.total > 0;
  const bool frames = progress.stage == "decode" && progress.total > 0;
  const int left = progress.total - progress.done;
  turn_.give_to_older();
  const std::scoped_lock lock(mutex_);
  for (BatchJob& each : ready_.batch) {
    if (each.left) continue;
    Job& job = each.job;
    job.stage = progress.stage;
    job.frame = frames ? std::optional(progress.done) : std::nullopt;
    job.frames = frames ? std::optional(progress.total) : std::nullopt;
    parts_.jobs.at_stage(job.id, job.stage, job.frame, job.frames);
    if (steps) {
      parts_.jobs.progress(job.id, progress.done);
      job.step = progress.done;
      job.steps = progress.total;
      const double step_seconds =
          progress.step_seconds > 0 ? progress.step_seconds : progress.predicted_step_seconds;
      job.seconds_left = left * step_seconds + progress.predicted_after_seconds;
    } else if (frames) {
      job.seconds_left = progress.predicted_after_seconds * left / progress.total;
    }
    parts_.events.publish({job, nullptr});
  }
}

void JobRun::preview(const HostTensor& latents) {
  if (!parts_.previews.due()) return;
  turn_.give_to_older();
  for (const BatchJob& job : jobs_that_stay()) {
    if (!job.job.previews) continue;
    if (auto png = parts_.previews.png(*ready_.model, latents,
                                       job.first_picture + static_cast<int64_t>(job.prepared->made.front())))
      parts_.events.publish({job.job, std::move(png)});
  }
}

// A run that is to stop leaves where it is.
bool JobRun::checkpoint_due() {
  if (!pace_.due() && !stop_.requested()) return false;
  since_due_.emplace();
  return true;
}

// A checkpoint that cannot be kept costs time after a crash, nothing now.
void JobRun::keep(const RunCheckpoint& checkpoint) {
  turn_.give_to_older();
  const Stopwatch watch;
  for (const BatchJob& job : jobs_that_stay()) {
    try {
      const RunCheckpoint own = checkpoint_of_pictures(checkpoint, job.first_picture, job.pictures());
      const std::string blob = parts_.blobs.put(checkpoint_bytes(own));
      const auto before = parts_.jobs.checkpoint(job.job.id, blob, own.calls_done);
      if (before.has_value() && !before->empty()) parts_.blobs.remove(*before);
    } catch (const Error& error) {
      log::warn("no checkpoint of job {}: {}", job.job.id, error.what());
    }
  }
  pace_.taken(watch.seconds());
  if (stop_.requested()) cut_off();
}

// Also told of what was kept before this run, which cost it nothing.
void JobRun::decode_kept() {
  if (since_due_.has_value()) pace_.taken(since_due_->seconds());
  since_due_.reset();
  if (stop_.requested()) cut_off();
}

void JobRun::settle(GenerateResult& result, double seconds) {
  for (const BatchJob& job : jobs_that_stay()) {
    JobResult own;
    own.report = to_json(result.report);
    own.seconds = seconds * job.share(pictures_);
    persist(stop_, "keeping pictures", [&] {
      own.pictures.clear();
      for (size_t i = 0; i < job.prepared->made.size(); ++i) {
        const auto at = static_cast<size_t>(job.first_picture) + i;
        SNUG_CHECK(at < result.pictures.size(), "a run makes what its jobs ask for");
        own.pictures.push_back(stored_picture(job, job.prepared->made[i], result.pictures[at]));
      }
      // First, so that who sees the job done and asks again finds it.
      if (result.report.changes.empty()) cache(job, own.pictures);
      own.run = figures(job);
      end(job, parts_.jobs.finish(job.job.id, own));
    });
  }
}

void JobRun::cache(const BatchJob& job, const std::vector<JobPicture>& pictures) {
  try {
    for (size_t i = 0; i < pictures.size(); ++i) {
      keep_picture(job.prepared->addresses[i], pictures[i], parts_.caches, parts_.blobs);
    }
  } catch (const Error& error) {
    log::warn("a picture is not cached: {}", error.what());
  }
}

JobPicture JobRun::stored_picture(const BatchJob& job, size_t index, const std::vector<std::byte>& bytes) {
  const Request& request = job.prepared->request;
  JobPicture picture;
  picture.blob = parts_.blobs.put(bytes);
  picture.bytes = static_cast<int64_t>(bytes.size());
  picture.format = request.format;
  picture.width = request.width;
  picture.height = request.height;
  picture.seed = request.pictures[index].seed;
  if (!request.is_clip) return picture;
  JobClip& clip = picture.clip.emplace();
  clip.format = request.video_format;
  clip.frames = request.frames;
  clip.frames_per_second = request.frames_per_second;
  if (!poster_.empty()) clip.poster = parts_.blobs.put(poster_);
  clip.poster_bytes = static_cast<int64_t>(poster_.size());
  return picture;
}

// Without one the clip is as good.
void JobRun::make_poster(const Picture& frame) {
  try {
    poster_ = clip_poster(frame);
  } catch (const Error& error) {
    log::warn("a clip has no poster: {}", error.what());
  }
}

void JobRun::settle(const Error& error, double seconds) {
  for (const BatchJob& job : jobs_that_stay()) {
    const double own = seconds * job.share(pictures_);
    if (error.code() == ErrorCode::kCancelled) {
      persist(stop_, "putting a job back", [&] { end(job, parts_.jobs.interrupt(job.job.id, own)); });
    } else {
      end_failed(parts_, stop_, job.job, error, own, figures(job));
    }
  }
}

void JobRun::end(const BatchJob& job, const std::optional<Job>& ended) {
  {
    const std::scoped_lock lock(mutex_);
    for (BatchJob& own : ready_.batch) own.left = own.left || own.job.id == job.job.id;
  }
  if (ended) {
    parts_.events.publish({*ended, nullptr});
    return;
  }
  // It had ended: by a transaction that was done though it failed, of which nobody was told.
  const Job now = parts_.jobs.get(job.job.id);
  if (has_ended(now.state)) parts_.events.publish({now, nullptr});
}

// What the engine did for the job beside the run is all that the run's own clock does not have.
RunRecord JobRun::figures(const BatchJob& job) const {
  if (!report_.has_value()) return {};
  const double beside = job.since_begun.seconds() - report_->total_seconds;
  return run_figures(*report_, use_, std::max(0.0, beside) + learning_seconds_);
}

std::vector<BatchJob> JobRun::jobs_that_stay() {
  const std::scoped_lock lock(mutex_);
  std::vector<BatchJob> jobs;
  std::copy_if(ready_.batch.begin(), ready_.batch.end(), std::back_inserter(jobs),
               [](const BatchJob& job) { return !job.left; });
  return jobs;
}

}  // namespace snug
