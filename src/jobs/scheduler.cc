#include "jobs/scheduler.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "backend/backend.h"
#include "jobs/failed_job.h"
#include "jobs/result_cache.h"
#include "pipeline/fit_request.h"
#include "pipeline/make_plan.h"
#include "pipeline/validate_request.h"

namespace snug {
namespace {

constexpr int kJobsLookedAt = 16;
constexpr int kMostBeginnings = 20;
// Writing it takes some milliseconds.
constexpr std::chrono::seconds kHistoryEvery{60};

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

NextRun Scheduler::next() {
  NextJobs jobs;
  if (!persist(stop_, "looking for jobs", [&] { jobs = parts_.jobs.next(kJobsLookedAt); })) return {};
  for (const Job& job : jobs.expired) parts_.events.publish({job, nullptr});
  if (jobs.ready.empty()) return {std::nullopt, NextRun::Wait::kForJob, jobs.wake_ms};
  bool must_wait = false;
  std::vector<BatchJob> batch = gather(jobs.ready, must_wait);
  if (must_wait) return {std::nullopt, NextRun::Wait::kForRun, {}};
  if (batch.empty()) return {};
  const Job first = batch.front().job;
  try {
    const JobPlan plan = shrink_to_gain(batch, parts_.admission);
    return begin(std::move(batch), plan);
  } catch (const OverBudget& error) {
    // Beside a run there is less: what that holds beside its arena counts.
    if (is_busy()) return {std::nullopt, NextRun::Wait::kForRun, {}};
    end_failed(parts_, stop_, first, error, 0);
  } catch (const Error& error) {
    end_failed(parts_, stop_, first, error, 0);
  } catch (const std::exception& error) {
    end_failed(parts_, stop_, first, Error(ErrorCode::kInternal, error.what()), 0);
  }
  return {};
}

// Those of `ready` that could run together. Empty when none can run; `must_wait` when the first of them will
// find its pictures in the cache.
std::vector<BatchJob> Scheduler::gather(const std::vector<Job>& ready, bool& must_wait) {
  std::vector<BatchJob> batch;
  for (const Job& job : ready) {
    if (stop_.requested()) return {};
    try {
      refuse_what_never_gets_on(job);
      BatchJob candidate{job, prepare(job), 0, false, {}};
      if (is_being_made(candidate)) {
        must_wait = batch.empty();
        if (must_wait) return {};
        continue;
      }
      if (batch.empty() && answer_from_cache(candidate)) continue;
      if (batch.empty() || may_join(candidate, batch, parts_.options.most_batch)) {
        batch.push_back(std::move(candidate));
      }
    } catch (const Error& error) {
      end_failed(parts_, stop_, job, error, 0);
    }
  }
  return batch;
}

// Whatever a job's text makes of it is that job's failure.
std::shared_ptr<const PreparedJob> Scheduler::prepare(const Job& job) {
  try {
    return parts_.preparer.prepare(job.request);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kInternal, error.what());
  }
}

bool Scheduler::is_being_made(const BatchJob& job) {
  const std::vector<std::string>& wanted = job.prepared->addresses;
  const std::scoped_lock lock(mutex_);
  return std::any_of(in_flight_.begin(), in_flight_.end(), [&](const InFlight& run) {
    return std::find_first_of(run.addresses.begin(), run.addresses.end(), wanted.begin(), wanted.end()) !=
           run.addresses.end();
  });
}

// An equal job has been done meanwhile.
bool Scheduler::answer_from_cache(const BatchJob& job) {
  if (!job.job.checkpoint.empty()) return false;
  std::vector<JobPicture> pictures;
  persist(stop_, "looking into the cache",
          [&] { pictures = cached_pictures(*job.prepared, parts_.caches, true); });
  if (pictures.empty()) return false;
  const std::string& id = job.job.id;
  if (reserve(id, {}, 0) != Reservation::kReserved) return true;
  std::optional<Job> now = begin(id);
  if (now && now->state == JobState::kRunning) {
    persist(stop_, "answering from the cache", [&] {
      JobResult result{pictures, {}, 0};
      result.run.cached = true;
      now = parts_.jobs.finish(id, result);
      if (!now) now = parts_.jobs.get(id);
    });
  }
  if (now) parts_.events.publish({*now, nullptr});
  return true;
}

NextRun Scheduler::begin(std::vector<BatchJob> batch, const JobPlan& plan) {
  ReadyRun run;
  run.fields = batch_fields(batch);
  run.model = batch.front().prepared->model;
  run.batch_key = batch.front().prepared->batch_key;
  run.peak_bytes = plan.peak_bytes;
  const std::string shape = shape_of_batch(run.fields, *run.model, parts_.options.rates);
  if (is_taken(shape, run.batch_key) || !has_room(plan.peak_bytes))
    return {std::nullopt, NextRun::Wait::kForRun, {}};
  const size_t asked = batch.size();
  if (reserve(batch, plan) == Reservation::kNoRoom) return {std::nullopt, NextRun::Wait::kForRun, {}};
  if (batch.empty()) return {};
  run.batch = std::move(batch);
  // Some were cancelled meanwhile: what is left is another request.
  if (run.batch.size() < asked) run.fields = batch_fields(run.batch);
  take(run, run.batch.size() < asked ? shape_of_batch(run.fields, *run.model, parts_.options.rates) : shape);
  return {std::move(run), NextRun::Wait::kNone, {}};
}

bool Scheduler::is_busy() {
  const std::scoped_lock lock(mutex_);
  return !in_flight_.empty();
}

// Beside what runs hold until they have ended: the store gives up a job's reservation when that is cancelled,
// and its run may still be in a kernel, or go on for others. A run that is alone may have it all.
bool Scheduler::has_room(int64_t peak_bytes) {
  const std::scoped_lock lock(mutex_);
  int64_t bytes = peak_bytes;
  for (const InFlight& other : in_flight_) bytes += other.peak_bytes;
  return in_flight_.empty() || bytes <= parts_.admission.budget_bytes();
}

// Weights that are there are worth waiting for, and what waits may grow to a larger batch.
bool Scheduler::is_taken(const std::string& shape, const std::string& batch_key) {
  if (kept_.in_use(shape)) return true;
  const std::scoped_lock lock(mutex_);
  return !batch_key.empty() && std::any_of(in_flight_.begin(), in_flight_.end(), [&](const InFlight& other) {
    return other.batch_key == batch_key;
  });
}

// A transaction that failed may have been done nevertheless, where the connection broke after it. Nobody else
// moves jobs on.
Reservation Scheduler::reserve(const std::string& id, const JobPlan& plan, int64_t bytes) {
  Reservation reservation = Reservation::kLost;
  bool tried = false;
  persist(stop_, "reserving memory", [&] {
    const bool again = std::exchange(tried, true);
    reservation = parts_.jobs.reserve(id, plan, bytes, parts_.admission.budget_bytes());
    if (again && reservation == Reservation::kLost && parts_.jobs.get(id).state == JobState::kPlanned)
      reservation = Reservation::kReserved;
  });
  return reservation;
}

std::optional<Job> Scheduler::begin(const std::string& id) {
  std::optional<Job> now;
  bool tried = false;
  persist(stop_, "beginning a job", [&] {
    const bool again = std::exchange(tried, true);
    now = parts_.jobs.begin(id);
    if (again && !now) now = parts_.jobs.get(id);
  });
  return now;
}

// Reserves the plan's bytes with the first job, and begins all; those that were cancelled meanwhile go.
Reservation Scheduler::reserve(std::vector<BatchJob>& batch, const JobPlan& plan) {
  const int64_t pictures = batch_pictures(batch);
  int64_t bytes = plan.peak_bytes;
  std::vector<BatchJob> begun;
  for (BatchJob& job : batch) {
    const std::string& id = job.job.id;
    JobPlan own = plan;
    own.seconds = plan.seconds * job.share(pictures);
    const Reservation reservation = reserve(id, own, bytes);
    if (reservation == Reservation::kNoRoom && begun.empty()) return reservation;
    if (reservation != Reservation::kReserved) continue;
    const std::optional<Job> now = begin(id);
    job.since_begun = Stopwatch();
    if (!now) continue;
    parts_.events.publish({*now, nullptr});
    if (now->state != JobState::kRunning) continue;
    bytes = 0;
    job.job = *now;
    begun.push_back(std::move(job));
  }
  batch = std::move(begun);
  lay_out(batch);
  return Reservation::kReserved;
}

// What is kept goes as far as the runs under way need its place, and beyond its share in any case.
void Scheduler::take(ReadyRun& run, const std::string& shape) {
  run.kept = &kept_.use(shape);
  InFlight own = {0, run.peak_bytes, run.batch_key, {}};
  for (const BatchJob& job : run.batch) {
    own.addresses.insert(own.addresses.end(), job.prepared->addresses.begin(), job.prepared->addresses.end());
  }
  const std::scoped_lock lock(mutex_);
  run.order = own.order = ++last_order_;
  in_flight_.push_back(std::move(own));
  const auto now = std::chrono::steady_clock::now();
  run.keeps_history =
      parts_.options.keep_history && now - history_kept_.value_or(now - kHistoryEvery) >= kHistoryEvery;
  if (run.keeps_history) history_kept_ = now;
  const auto budget = static_cast<double>(parts_.admission.budget_bytes());
  double room = budget;
  for (const InFlight& other : in_flight_) room -= static_cast<double>(other.peak_bytes);
  kept_.shrink(static_cast<int64_t>(std::max(0.0, std::min(budget * parts_.options.models_share, room))));
}

void Scheduler::generated(const ReadyRun& run, double remake_seconds) {
  kept_.used(*run.kept, remake_seconds);
  const std::scoped_lock lock(mutex_);
  for (InFlight& own : in_flight_) {
    if (own.order == run.order) own.batch_key.clear();
  }
}

void Scheduler::ended(const ReadyRun& run) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(in_flight_, [&](const InFlight& own) { return own.order == run.order; });
}

}  // namespace snug
