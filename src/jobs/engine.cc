#include "jobs/engine.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "jobs/batch.h"
#include "jobs/kept_runs.h"
#include "pipeline/fit_request.h"
#include "pipeline/generate.h"
#include "pipeline/kept_run.h"
#include "pipeline/run_checkpoint.h"
#include "pipeline/validate_request.h"

namespace snug {
namespace {

using std::chrono::milliseconds;

constexpr int kJobsLookedAt = 16;
// When the store cannot be written: how long until it is tried again.
constexpr milliseconds kFirstRetry{200}, kLongestRetry{5000};
constexpr std::chrono::seconds kPatience{20};  // with a run, when the service stops
constexpr int kMostBeginnings = 20;
constexpr double kRetrySeconds = 5;        // until a failed job's next attempt, doubled each time
constexpr double kCheckpointShare = 0.01;  // most of a run's time

bool worth_a_retry(ErrorCode code) {
  return code == ErrorCode::kIoError || code == ErrorCode::kOutOfMemory || code == ErrorCode::kDiskFull ||
         code == ErrorCode::kStoreError;
}

JobFailure failure_of(const Error& error) {
  JobFailure failure;
  failure.code = error.word();
  failure.problem = error.problem();
  failure.fix = error.fix();
  failure.stage = error.stage();
  if (const auto* refusal = dynamic_cast<const OverBudget*>(&error)) {
    failure.ways_out = ways_out_json(refusal->ways).dump();
  }
  return failure;
}

// What ends the process each time it runs would do so for ever.
void refuse_what_never_gets_on(const Job& job) {
  if (job.attempts < kMostBeginnings || !job.checkpoint.empty()) return;
  throw Error(ErrorCode::kInternal,
              fmt::format("it was begun {} times, and never got as far as a checkpoint", job.attempts),
              "the service's log says how it ended; ask for a smaller picture, and report it");
}

std::string shape_of_batch(const RequestFields& fields, const Model& model, const Rates& rates) {
  const Request request = validate_request(fields, model, cpu_backend());
  return model.identity + '\n' + shape_of(request, run_without_plan(request, model, cpu_backend(), rates));
}

}  // namespace

class Engine::Impl {
 public:
  explicit Impl(const EngineParts& parts) : parts_(parts), thread_([this] { loop(); }) {}
  ~Impl() { stop(); }

  void wake() {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }

  bool cancel(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    const auto found = std::find_if(batch_.begin(), batch_.end(),
                                    [&](const BatchJob& job) { return job.job.id == id && !job.left; });
    if (found == batch_.end()) return false;
    found->left = true;
    if (const auto job = parts_.jobs.cancelled(id, 0)) parts_.events.publish({*job, nullptr});
    if (std::all_of(batch_.begin(), batch_.end(), [](const BatchJob& job) { return job.left; })) {
      cancellation_.request();
    }
    return true;
  }

  void stop() {
    {
      std::unique_lock lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
      // A run ends, or writes a checkpoint after its step; one that takes longer than that is cut off.
      changed_.wait_for(lock, kPatience, [&] { return ended_; });
      cancellation_.request();
    }
    if (thread_.joinable()) thread_.join();
  }

  KeptRuns& kept() { return kept_; }

 private:
  bool stopping() {
    const std::scoped_lock lock(mutex_);
    return stopping_;
  }

  // Until `work` succeeds, or the engine stops: a database that is locked or a disk that is full is waited
  // out. Then false.
  template <typename Work>
  bool persist(const char* what, const Work& work) {
    for (milliseconds wait = kFirstRetry;; wait = std::min(2 * wait, kLongestRetry)) {
      try {
        work();
        return true;
      } catch (const Error& error) {
        log::warn("{} failed, to be tried again: {}", what, error.what());
      }
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, wait, [&] { return stopping_; })) return false;
    }
  }

  void loop() {
    ::pthread_setname_np(::pthread_self(), "snug engine");
    take_jobs();
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  void take_jobs() {
    while (!stopping()) {
      NextJobs next;
      if (!persist("looking for jobs", [&] { next = parts_.jobs.next(kJobsLookedAt); })) return;
      for (const Job& job : next.expired) parts_.events.publish({job, nullptr});
      std::vector<BatchJob> batch = gather(next.ready);
      if (!batch.empty()) {
        run(std::move(batch));
      } else if (next.ready.empty()) {
        sleep(next.wake_ms);
      }
    }
  }

  void sleep(std::optional<int64_t> wake_ms) {
    const auto most = milliseconds(60'000);
    auto until = most;
    if (wake_ms.has_value()) {
      using std::chrono::system_clock;
      const auto now = std::chrono::duration_cast<milliseconds>(system_clock::now().time_since_epoch());
      until = std::clamp(milliseconds(*wake_ms) - now, milliseconds(1), most);
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, until, [&] { return woken_ || stopping_; });
    woken_ = false;
  }

  // The jobs that run next, running already for the store. Empty when none of `ready` can.
  std::vector<BatchJob> gather(const std::vector<Job>& ready) {
    std::vector<BatchJob> batch;
    for (const Job& job : ready) {
      if (stopping()) return {};
      try {
        refuse_what_never_gets_on(job);
        BatchJob candidate{job, parts_.preparer.prepare(job.request)};
        if (batch.empty() && answer_from_cache(candidate)) continue;
        if (batch.empty() || may_join(candidate, batch, parts_.options.most_batch)) {
          batch.push_back(std::move(candidate));
        }
      } catch (const Error& error) {
        end_failed(job, error, 0);
      }
    }
    if (batch.empty()) return batch;
    try {
      const JobPlan plan = shrink_to_gain(batch, parts_.admission);
      begin(batch, plan);
    } catch (const Error& error) {
      end_failed(batch.front().job, error, 0);
      batch.clear();
    }
    return batch;
  }

  // An equal job has been done meanwhile.
  bool answer_from_cache(const BatchJob& job) {
    if (!job.job.checkpoint.empty()) return false;
    std::vector<JobPicture> pictures = cached_pictures(*job.prepared, parts_.caches, true);
    if (pictures.empty()) return false;
    const std::string& id = job.job.id;
    if (parts_.jobs.reserve(id, {}, 0, parts_.admission.budget_bytes()) != Reservation::kReserved)
      return true;
    const auto begun = parts_.jobs.begin(id);
    const auto ended = begun && begun->state == JobState::kRunning
                           ? parts_.jobs.finish(id, {std::move(pictures), {}, 0})
                           : begun;
    if (ended) parts_.events.publish({*ended, nullptr});
    return true;
  }

  // Reserves the plan's bytes with the first job, and begins all; those that were cancelled meanwhile go.
  void begin(std::vector<BatchJob>& batch, const JobPlan& plan) {
    const int64_t pictures = batch_pictures(batch);
    int64_t bytes = plan.peak_bytes;
    std::erase_if(batch, [&](BatchJob& job) {
      const std::string& id = job.job.id;
      JobPlan own = plan;
      own.seconds = plan.seconds * job.share(pictures);
      if (parts_.jobs.reserve(id, own, bytes, parts_.admission.budget_bytes()) != Reservation::kReserved)
        return true;
      bytes = 0;
      const auto begun = parts_.jobs.begin(id);
      if (!begun) return true;
      parts_.events.publish({*begun, nullptr});
      job.job = *begun;
      return begun->state != JobState::kRunning;
    });
    lay_out(batch);
  }

  void run(std::vector<BatchJob> batch) {
    RequestFields fields = batch_fields(batch);
    const std::shared_ptr<const Model> model = batch.front().prepared->model;
    {
      const std::scoped_lock lock(mutex_);
      batch_ = std::move(batch);
      if (!stopping_) cancellation_.withdraw();
    }
    const Stopwatch watch;
    try {
      const std::string shape = shape_of_batch(fields, *model, parts_.options.rates);
      KeptRun& kept = kept_.use(shape);
      make_room(batch_.front().job.planned_peak_bytes.value_or(0));
      fields.memory = parts_.admission.memory_of(fields);
      const std::optional<RunCheckpoint> resume = checkpoint_of(batch_.front().job);
      GenerateResult result = generate(fields, options(model, kept, resume));
      kept_.used(result.report.plan_seconds + result.report.load_seconds +
                 static_cast<double>(result.report.read_bytes) / parts_.options.rates.read_bytes);
      settle(result, watch.seconds());
    } catch (const Error& error) {
      kept_.used(0);
      settle(error, watch.seconds());
    } catch (const std::exception& error) {
      kept_.used(0);
      settle(Error(ErrorCode::kInternal, error.what()), watch.seconds());
    }
    const std::scoped_lock lock(mutex_);
    batch_.clear();
    parts_.admission.set_spare_bytes(kept_.spare_bytes());
  }

  // What was kept goes as far as this run's plan needs its place, and beyond its share in any case.
  void make_room(int64_t peak_bytes) {
    const auto budget = static_cast<double>(parts_.admission.budget_bytes());
    const double share = budget * parts_.options.models_share;
    kept_.shrink(
        static_cast<int64_t>(std::max(0.0, std::min(share, budget - static_cast<double>(peak_bytes)))));
    parts_.admission.set_spare_bytes(kept_.spare_bytes());
  }

  std::optional<RunCheckpoint> checkpoint_of(const Job& job) {
    if (job.checkpoint.empty()) return std::nullopt;
    try {
      const std::vector<std::byte> bytes = parts_.blobs.get(job.checkpoint);
      return read_checkpoint(*view_memory("checkpoint", bytes));
    } catch (const Error& error) {
      log::warn("job {} begins anew: {}", job.id, error.what());
      return std::nullopt;
    }
  }

  GenerateOptions options(const std::shared_ptr<const Model>& model, KeptRun& kept,
                          const std::optional<RunCheckpoint>& resume) {
    GenerateOptions options;
    options.rates = parts_.options.rates;
    options.cancellation = &cancellation_;
    options.model = model;
    options.kept = &kept;
    options.conditioning = &parts_.conditioning;
    if (resume.has_value()) options.resume = &*resume;
    options.progress = [this](const Progress& progress) { tell(progress); };
    since_checkpoint_ = Stopwatch();
    checkpoint_cost_seconds_ = 0;
    options.checkpoint_due = [this](int) {
      const double due =
          std::max(parts_.options.checkpoint_seconds, checkpoint_cost_seconds_ / kCheckpointShare);
      // A run that is to stop leaves where it is.
      return since_checkpoint_.seconds() >= due || stopping();
    };
    options.checkpoint = [this](const RunCheckpoint& checkpoint) { keep(checkpoint); };
    return options;
  }

  void tell(const Progress& progress) {
    if (progress.stage != "denoise") return;
    const std::scoped_lock lock(mutex_);
    for (BatchJob& job : batch_) {
      if (job.left) continue;
      parts_.jobs.progress(job.job.id, progress.done);
      job.job.step = progress.done;
      job.job.steps = progress.total;
      const double step_seconds =
          progress.step_seconds > 0 ? progress.step_seconds : progress.predicted_step_seconds;
      job.job.seconds_left =
          (progress.total - progress.done) * step_seconds + progress.predicted_after_seconds;
      parts_.events.publish({job.job, nullptr});
    }
  }

  // A checkpoint that cannot be kept costs time after a crash, nothing now.
  void keep(const RunCheckpoint& checkpoint) {
    const Stopwatch watch;
    std::vector<BatchJob> jobs;
    {
      const std::scoped_lock lock(mutex_);
      jobs = batch_;
    }
    for (const BatchJob& job : jobs) {
      if (job.left) continue;
      try {
        const RunCheckpoint own = checkpoint_of_pictures(checkpoint, job.first_picture, job.pictures());
        const std::string blob = parts_.blobs.put(checkpoint_bytes(own));
        const auto before = parts_.jobs.checkpoint(job.job.id, blob, own.calls_done);
        if (before.has_value() && !before->empty()) parts_.blobs.remove(*before);
      } catch (const Error& error) {
        log::warn("no checkpoint of job {}: {}", job.job.id, error.what());
      }
    }
    checkpoint_cost_seconds_ = watch.seconds();
    since_checkpoint_ = Stopwatch();
    if (stopping()) cancellation_.request();
  }

  void settle(GenerateResult& result, double seconds) {
    for (const BatchJob& job : jobs_that_stay()) {
      JobResult own;
      own.report = to_json(result.report);
      own.seconds = seconds * job.share(batch_pictures(batch_));
      persist("keeping pictures", [&] {
        own.pictures.clear();
        for (int64_t i = 0; i < job.pictures(); ++i) {
          const auto at = static_cast<size_t>(job.first_picture + i);
          own.pictures.push_back(stored_picture(job, static_cast<size_t>(i), result.pictures[at]));
        }
        // First, so that who sees the job done and asks again finds it.
        if (result.report.changes.empty()) cache(job, own.pictures);
        end(job, parts_.jobs.finish(job.job.id, own));
      });
    }
  }

  void cache(const BatchJob& job, const std::vector<JobPicture>& pictures) {
    try {
      for (size_t i = 0; i < pictures.size(); ++i) {
        keep_picture(job.prepared->addresses[i], pictures[i], parts_.caches, parts_.blobs);
      }
    } catch (const Error& error) {
      log::warn("a picture is not cached: {}", error.what());
    }
  }

  JobPicture stored_picture(const BatchJob& job, size_t index, const std::vector<std::byte>& bytes) {
    const Request& request = job.prepared->request;
    JobPicture picture;
    picture.blob = parts_.blobs.put(bytes);
    picture.bytes = static_cast<int64_t>(bytes.size());
    picture.format = request.format;
    picture.width = request.width;
    picture.height = request.height;
    picture.seed = request.pictures[index].seed;
    return picture;
  }

  void settle(const Error& error, double seconds) {
    for (const BatchJob& job : jobs_that_stay()) {
      const double own = seconds * job.share(batch_pictures(batch_));
      if (error.code() == ErrorCode::kCancelled) {
        persist("putting a job back", [&] { end(job, parts_.jobs.interrupt(job.job.id, own)); });
      } else {
        end_failed(job.job, error, own);
      }
    }
  }

  void end_failed(const Job& job, const Error& error, double seconds) {
    log::warn("job {} failed in {}: {}", job.id, error.stage(), error.word());
    persist("noting a failure", [&] {
      const bool again = worth_a_retry(error.code()) && job.state == JobState::kRunning &&
                         job.attempts < parts_.options.most_attempts;
      const double wait_seconds = kRetrySeconds * (1 << std::min(job.attempts, 10));
      using std::chrono::system_clock;
      const auto now = std::chrono::duration_cast<milliseconds>(system_clock::now().time_since_epoch());
      const auto ended = again ? parts_.jobs.retry(job.id, failure_of(error), seconds,
                                                   now.count() + static_cast<int64_t>(wait_seconds * 1000))
                               : parts_.jobs.fail(job.id, failure_of(error), seconds);
      if (ended) parts_.events.publish({*ended, nullptr});
    });
  }

  void end(const BatchJob& job, const std::optional<Job>& ended) {
    {
      const std::scoped_lock lock(mutex_);
      for (BatchJob& own : batch_) own.left = own.left || own.job.id == job.job.id;
    }
    if (ended) parts_.events.publish({*ended, nullptr});
  }

  std::vector<BatchJob> jobs_that_stay() {
    const std::scoped_lock lock(mutex_);
    std::vector<BatchJob> jobs;
    std::copy_if(batch_.begin(), batch_.end(), std::back_inserter(jobs),
                 [](const BatchJob& job) { return !job.left; });
    return jobs;
  }

  const EngineParts parts_;
  KeptRuns kept_;
  Cancellation cancellation_;
  Stopwatch since_checkpoint_;
  double checkpoint_cost_seconds_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false, stopping_ = false, ended_ = false;
  std::vector<BatchJob> batch_;  // that runs; its `left` flags change while it does
  std::thread thread_;           // last: it uses all of the above
};

Engine::Engine(const EngineParts& parts) : impl_(std::make_unique<Impl>(parts)) {}
Engine::~Engine() = default;
void Engine::wake() { impl_->wake(); }
bool Engine::cancel(const std::string& id) { return impl_->cancel(id); }
void Engine::stop() { impl_->stop(); }
CacheFigures Engine::kept_figures() const { return impl_->kept().figures(); }
void Engine::drop_kept() { impl_->kept().drop_all(); }

}  // namespace snug
