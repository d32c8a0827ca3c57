#include "monitor/advice/service_trial.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "backend/backend.h"
#include "base/error.h"
#include "base/process_memory.h"
#include "base/stopwatch.h"
#include "jobs/database.h"
#include "jobs/local_service.h"
#include "pipeline/thread_choice.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLookForCancellation{20};

class TrialFolder {
 public:
  // Empty: a temporary one.
  explicit TrialFolder(const std::string& stays) : path_(stays), goes_(stays.empty()) {
    if (!goes_) return;
    std::string pattern = (fs::temp_directory_path() / "snug-trial-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw Error(ErrorCode::kIoError, "no temporary folder can be made", "make room in $TMPDIR");
    path_ = pattern;
  }
  ~TrialFolder() {
    if (!goes_) return;
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TrialFolder(const TrialFolder&) = delete;
  TrialFolder& operator=(const TrialFolder&) = delete;
  std::string path(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
  const bool goes_;
};

// Jobs that have ended, as the service tells.
class EndedJobs {
 public:
  void receive(const JobEvent& event) {
    if (!has_ended(event.job.state)) return;
    const std::scoped_lock lock(mutex_);
    ids_.insert(event.job.id);
    changed_.notify_all();
  }
  void wait(const std::set<std::string>& wanted, const Cancellation* cancellation) {
    std::unique_lock lock(mutex_);
    while (!std::includes(ids_.begin(), ids_.end(), wanted.begin(), wanted.end())) {
      changed_.wait_for(lock, kLookForCancellation);
      if (cancellation != nullptr) cancellation->check();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> ids_;
};

class Trial {
 public:
  Trial(const Configuration& configuration, const MakeServiceOptions& make_options,
        const TrialOptions& options)
      : options_(options),
        folder_(options.folder),
        database_({.place = folder_.path("snug.sqlite"), .now_ms = {}}) {
    use_threads(
        choose_threads(thread_wishes({}, {}, configuration.threads, configuration.pin), cpu_backend()));
    ServiceOptions service = make_options(configuration);
    service.rates = rates_of_threads(threads_of(configuration));
    service.data_folder = folder_.path("data");
    service.database.clear();
    service.keep_history = false;
    service.observer = nullptr;
    release_freed_memory();
    can_measure_peak_ = reset_peak_memory();
    service_ = make_local_service(service, database_);
    subscription_ = service_->subscribe("", "", [this](const JobEvent& event) { ended_.receive(event); });
  }

  TrialFigures run(const std::vector<PastJob>& jobs) {
    const Stopwatch watch;
    try {
      run_periods(jobs);
    } catch (const Error&) {
      // Else the service would wait for a run's next step.
      for (const std::string& id : ids_) {
        if (!id.empty()) service_->cancel(id, "");
      }
      throw;
    }
    figures_.span_seconds = watch.seconds();
    if (can_measure_peak_) figures_.peak_bytes = process_memory().peak_bytes;
    double sum = 0;
    int done = 0;
    for (const std::string& id : ids_) note(id, sum, done);
    if (done > 0) figures_.mean_seconds = sum / done;
    return std::move(figures_);
  }

 private:
  void run_periods(const std::vector<PastJob>& jobs) {
    for (size_t begin = 0; begin < jobs.size();) {
      size_t end = begin;
      while (end < jobs.size() && jobs[end].period == jobs[begin].period) ++end;
      run_period(jobs, begin, end);
      begin = end;
    }
  }

  void run_period(const std::vector<PastJob>& jobs, size_t begin, size_t end) {
    const Stopwatch since_begin;
    std::set<std::string> wanted;
    for (size_t i = begin; i < end; ++i) {
      const double due = jobs[i].arrival_seconds - jobs[begin].arrival_seconds;
      while (since_begin.seconds() < due) {
        if (options_.cancellation != nullptr) options_.cancellation->check();
        std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(
            kLookForCancellation, std::chrono::duration<double>(due - since_begin.seconds())));
      }
      ids_.push_back(submit(jobs[i]));
      if (!ids_.back().empty()) wanted.insert(ids_.back());
    }
    ended_.wait(wanted, options_.cancellation);
  }

  // Its id; empty where it was refused.
  std::string submit(const PastJob& job) {
    Submission submission;
    submission.api = "native";
    submission.fields = job.fields;
    try {
      const Job accepted = service_->submit(submission);
      if (has_ended(accepted.state)) ended_.receive({accepted, nullptr});
      return accepted.id;
    } catch (const Error&) {
      return {};
    }
  }

  void note(const std::string& id, double& sum, int& done) {
    std::vector<std::byte> picture;
    double seconds = -1;
    if (!id.empty()) {
      const Job job = service_->job(id, "");
      if (job.state == JobState::kDone) {
        seconds = static_cast<double>(*job.finished_ms - job.created_ms) / 1e3;
        if (options_.keep_pictures) picture = service_->picture(id, 0, "").bytes;
        figures_.cached += job.from_cache ? 1 : 0;
      }
    }
    if (seconds < 0) {
      ++figures_.failed;
    } else {
      sum += seconds;
      ++done;
    }
    figures_.job_seconds.push_back(seconds);
    if (options_.keep_pictures) figures_.pictures.push_back(std::move(picture));
  }

  const TrialOptions options_;
  TrialFolder folder_;
  Database database_;
  EndedJobs ended_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Subscription> subscription_;
  bool can_measure_peak_ = false;
  std::vector<std::string> ids_;
  TrialFigures figures_;
};

}  // namespace

TrialFigures run_trial(const Configuration& configuration, const std::vector<PastJob>& jobs,
                       const MakeServiceOptions& make_options, const TrialOptions& options) {
  return Trial(configuration, make_options, options).run(jobs);
}

}  // namespace snug
