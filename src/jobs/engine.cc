#include "jobs/engine.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "jobs/job_run.h"
#include "jobs/patience.h"
#include "jobs/scheduler.h"
#include "runtime/compute_turns.h"

namespace snug {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kPatience{20};  // with runs, when the service stops
// Without anything that wakes.
constexpr milliseconds kLookForJobs{60'000}, kLookForRoom{1'000};

milliseconds until(int64_t wake_ms) {
  using std::chrono::system_clock;
  const auto now = std::chrono::duration_cast<milliseconds>(system_clock::now().time_since_epoch());
  return std::clamp(milliseconds(wake_ms) - now, milliseconds(1), kLookForJobs);
}

}  // namespace

class Engine::Impl {
 public:
  explicit Impl(const EngineParts& parts) : parts_(parts), scheduler_(parts, stop_) {
    lanes_left_ = std::max(1, parts.options.runs_at_once);
    for (int i = 0; i < lanes_left_; ++i) lanes_.emplace_back([this] { lane(); });
  }
  ~Impl() { stop(); }

  void wake() {
    const std::scoped_lock lock(mutex_);
    ++jobs_came_;
    changed_.notify_all();
  }

  bool cancel(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    return std::any_of(runs_.begin(), runs_.end(), [&](JobRun* run) { return run->cancel(id); });
  }

  void stop() {
    stop_.request();
    {
      std::unique_lock lock(mutex_);
      changed_.notify_all();
      // A run ends, or writes a checkpoint after its step; one that takes longer than that is cut off.
      changed_.wait_for(lock, kPatience, [&] { return lanes_left_ == 0; });
      for (JobRun* run : runs_) run->cut_off();
    }
    for (std::thread& lane : lanes_) {
      if (lane.joinable()) lane.join();
    }
  }

  KeptRuns& kept() { return scheduler_.kept(); }

 private:
  // How often something happened for which a lane may wait.
  struct Happened {
    int64_t jobs_came = 0, runs_got_on = 0;
  };

  void lane() {
    ::pthread_setname_np(::pthread_self(), "snug engine");
    while (!stop_.requested()) {
      Happened before;
      {
        const std::scoped_lock lock(mutex_);
        before = {jobs_came_, runs_got_on_};
      }
      try {
        if (const auto wait = take_run()) sleep(*wait, before);
      } catch (const std::exception& error) {
        log::error("looking for jobs ended by itself: {}", error.what());
        sleep({std::nullopt, NextRun::Wait::kForRun, {}}, before);
      }
    }
    const std::scoped_lock lock(mutex_);
    --lanes_left_;
    changed_.notify_all();
  }

  // Runs what is next, or says what to wait for.
  std::optional<NextRun> take_run() {
    NextRun next;
    std::unique_ptr<JobRun> run;
    {
      const std::scoped_lock one_lane(scheduling_);
      next = scheduler_.next();
      if (!next.run) return next;
      run = begin(std::move(*next.run));
    }
    try {
      run->run();
    } catch (const std::exception& error) {
      // Nothing is known to come here. Its jobs are running for the store until the next start.
      log::error("a run of the engine ended by itself: {}", error.what());
    }
    // Also then: others look at it only as long as it is there.
    {
      const std::scoped_lock lock(mutex_);
      std::erase(runs_, run.get());
    }
    scheduler_.ended(run->ready());
    note_run_got_on();
    return std::nullopt;
  }

  std::unique_ptr<JobRun> begin(ReadyRun ready) {
    auto run = std::make_unique<JobRun>(parts_, std::move(ready), turns_, stop_,
                                        [this](const ReadyRun& generated, double remake_seconds) {
                                          scheduler_.generated(generated, remake_seconds);
                                          note_run_got_on();
                                        });
    {
      const std::scoped_lock lock(mutex_);
      runs_.push_back(run.get());
    }
    cancel_what_was_asked_for(*run);
    return run;
  }

  // Until now whoever asked found no run of the job.
  void cancel_what_was_asked_for(JobRun& run) {
    for (const BatchJob& job : run.ready().batch) {
      try {
        if (parts_.jobs.get(job.job.id).cancel_requested) run.cancel(job.job.id);
      } catch (const Error& error) {
        log::warn("whether job {} is to be cancelled is not known: {}", job.job.id, error.what());
      }
    }
  }

  void note_run_got_on() {
    const std::scoped_lock lock(mutex_);
    ++runs_got_on_;
    changed_.notify_all();
  }

  void sleep(const NextRun& next, const Happened& before) {
    if (next.wait == NextRun::Wait::kNone) return;
    const bool for_run = next.wait == NextRun::Wait::kForRun;
    const milliseconds most = for_run                    ? kLookForRoom
                              : next.wake_ms.has_value() ? until(*next.wake_ms)
                                                         : kLookForJobs;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, most, [&] {
      return stop_.requested() || runs_got_on_ != before.runs_got_on ||
             (!for_run && jobs_came_ != before.jobs_came);
    });
  }

  const EngineParts parts_;
  StopSignal stop_;
  ComputeTurns turns_;
  std::mutex scheduling_;  // one lane at a time looks for jobs
  Scheduler scheduler_;

  std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  int64_t jobs_came_ = 0, runs_got_on_ = 0;
  int lanes_left_ = 0;
  std::vector<JobRun*> runs_;       // under way; each is its lane's
  std::vector<std::thread> lanes_;  // last: they use all of the above
};

Engine::Engine(const EngineParts& parts) : impl_(std::make_unique<Impl>(parts)) {}
Engine::~Engine() = default;
void Engine::wake() { impl_->wake(); }
bool Engine::cancel(const std::string& id) { return impl_->cancel(id); }
void Engine::stop() { impl_->stop(); }
CacheFigures Engine::kept_figures() const { return impl_->kept().figures(); }
void Engine::drop_kept() { impl_->kept().drop_all(); }

}  // namespace snug
