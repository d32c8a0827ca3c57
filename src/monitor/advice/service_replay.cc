#include "monitor/advice/service_replay.h"

#include <algorithm>
#include <limits>
#include <list>
#include <map>
#include <set>
#include <utility>

#include "monitor/advice/byte_budget.h"

namespace snug {
namespace {

constexpr size_t kJobsLookedAt = 16;  // as the scheduler does
constexpr double kWorthwhile = 0.99;  // as batch.cc has it
constexpr double kNever = std::numeric_limits<double>::infinity();

// What a run leaves for the next of its shape and number of pictures.
struct Kept {
  int shape = 0;
  int64_t pictures = 0, bytes = 0;
  double remake_seconds = 0, used_seconds = 0;
};

// A run under way.
struct Running {
  std::vector<size_t> jobs;
  int64_t peak_bytes = 0;
  double generated_seconds = 0;  // its pictures are made: its weights and the cores are free
  double end_seconds = 0;
  Kept leaves;
  bool has_left = false;
};

class Replay {
 public:
  Replay(const std::vector<ReplayJob>& jobs, const ReplayLimits& limits, const CostOfRun& cost)
      : jobs_(jobs),
        limits_(limits),
        cost_(cost),
        results_(limits.result_bytes),
        conditioning_(limits.conditioning_bytes) {
    figures_.jobs = static_cast<int>(jobs.size());
    figures_.job_seconds.assign(jobs.size(), -1);
  }

  ReplayFigures run() {
    double now = 0;
    for (;;) {
      leave_weights(now);
      end_runs(now);
      arrive(now);
      while (static_cast<int>(running_.size()) < limits_.runs_at_once && begin(now)) {
      }
      const double next = next_event(now);
      if (next == kNever) break;
      now = next;
    }
    summarise();
    return std::move(figures_);
  }

 private:
  const RunCost& cost(int shape, int64_t pictures) {
    const auto [found, is_new] = costs_.try_emplace({shape, pictures});
    if (is_new) found->second = cost_(shape, pictures);
    return found->second;
  }

  double next_event(double now) const {
    double next = next_arrival_ < jobs_.size() ? jobs_[next_arrival_].arrival_seconds : kNever;
    for (const Running& run : running_) {
      if (run.generated_seconds > now) next = std::min(next, run.generated_seconds);
      next = std::min(next, run.end_seconds);
    }
    return next;
  }

  void end_job(size_t job, double at) {
    figures_.job_seconds[job] = at - jobs_[job].arrival_seconds;
    figures_.span_seconds = std::max(figures_.span_seconds, at);
  }

  void leave_weights(double now) {
    for (Running& run : running_) {
      if (run.has_left || run.generated_seconds > now) continue;
      kept_.push_back(run.leaves);
      run.has_left = true;
    }
  }

  void end_runs(double now) {
    for (const Running& run : running_) {
      if (run.end_seconds > now) continue;
      for (const size_t job : run.jobs) {
        end_job(job, run.end_seconds);
        results_.keep(jobs_[job].content, jobs_[job].result_bytes);
      }
    }
    running_.remove_if([&](const Running& run) { return run.end_seconds <= now; });
  }

  // Submission: answered from the cache, refused, or queued.
  void arrive(double now) {
    for (; next_arrival_ < jobs_.size() && jobs_[next_arrival_].arrival_seconds <= now; ++next_arrival_) {
      const ReplayJob& job = jobs_[next_arrival_];
      if (results_.find(job.content)) {
        answer_from_cache(next_arrival_, now);
      } else if (!cost(job.shape, job.pictures).fits) {
        ++figures_.failed;
      } else {
        queue_.push_back(next_arrival_);
      }
    }
  }

  void answer_from_cache(size_t job, double now) {
    ++figures_.cached;
    end_job(job, now + limits_.cached_seconds);
  }

  bool is_being_made(const std::string& content) const {
    return std::any_of(running_.begin(), running_.end(), [&](const Running& run) {
      return std::any_of(run.jobs.begin(), run.jobs.end(),
                         [&](size_t job) { return jobs_[job].content == content; });
    });
  }

  // The scheduler's: who of the next may run together. Empty where the first has to wait.
  std::vector<size_t> gather(double now) {
    std::vector<size_t> batch;
    std::set<std::string> contents;
    int64_t pictures = 0;
    size_t looked_at = 0;
    for (auto at = queue_.begin(); at != queue_.end() && looked_at < kJobsLookedAt; ++looked_at) {
      const ReplayJob& job = jobs_[*at];
      if (is_being_made(job.content)) {
        if (batch.empty()) return {};
        ++at;
        continue;
      }
      if (batch.empty() && results_.find(job.content)) {
        answer_from_cache(*at, now);
        at = queue_.erase(at);
        continue;
      }
      const bool joins =
          batch.empty() || (job.shape == jobs_[batch.front()].shape &&
                            pictures + job.pictures <= limits_.most_batch && !contents.contains(job.content));
      if (joins) {
        batch.push_back(*at);
        contents.insert(job.content);
        pictures += job.pictures;
      }
      ++at;
    }
    return batch;
  }

  int64_t pictures_of(const std::vector<size_t>& batch) const {
    int64_t pictures = 0;
    for (const size_t job : batch) pictures += jobs_[job].pictures;
    return pictures;
  }

  // The scheduler compares plans, which know nothing of what is kept: with loading, in both.
  double planned_seconds(int shape, int64_t pictures) {
    const RunCost& own = cost(shape, pictures);
    return own.load_seconds + own.encode_seconds * static_cast<double>(pictures) + own.waiting_seconds +
           own.compute_seconds;
  }

  // Returns what planning the batches that were considered took.
  double shrink_to_gain(std::vector<size_t>& batch) {
    const int shape = jobs_[batch.front()].shape;
    const int64_t first = jobs_[batch.front()].pictures;
    const double alone = planned_seconds(shape, first);
    double planning = 0;
    while (batch.size() > 1) {
      const int64_t pictures = pictures_of(batch);
      if (planned_.insert({shape, pictures}).second) planning += cost(shape, pictures).plan_seconds;
      const double apart = alone * static_cast<double>(pictures) / static_cast<double>(first);
      if (cost(shape, pictures).fits && planned_seconds(shape, pictures) <= kWorthwhile * apart) break;
      batch.resize(batch.size() / 2);
    }
    return planning;
  }

  // Of conditioning that is not cached; keeps what is encoded.
  double encode(const std::vector<size_t>& batch, const RunCost& run) {
    double seconds = 0;
    for (const size_t job : batch) {
      if (conditioning_.find(jobs_[job].prompt)) continue;
      seconds += run.encode_seconds * jobs_[job].time_factor;
      conditioning_.keep(jobs_[job].prompt, run.conditioning_bytes);
    }
    return seconds;
  }

  bool must_wait_for_another(int shape, int64_t peak_bytes, double now) const {
    int64_t bytes = peak_bytes;
    for (const Running& run : running_) {
      bytes += run.peak_bytes;
      if (run.leaves.shape == shape && run.generated_seconds > now) return true;
    }
    return !running_.empty() && bytes > limits_.budget_bytes;
  }

  bool take_kept(int shape, int64_t pictures) {
    const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& one) {
      return one.shape == shape && one.pictures == pictures;
    });
    if (found == kept_.end()) return false;
    kept_.erase(found);
    return true;
  }

  // As KeptRuns::shrink: what costs least to make again, byte for byte, and has been idle longest.
  void shrink_kept(double now) {
    const auto budget = static_cast<double>(limits_.budget_bytes);
    double room = budget;
    for (const Running& run : running_) room -= static_cast<double>(run.peak_bytes);
    const double most = std::max(0.0, std::min(budget * limits_.models_share, room));
    const auto value = [&](const Kept& kept) {
      return kept.remake_seconds / static_cast<double>(std::max<int64_t>(1, kept.bytes)) /
             (1 + now - kept.used_seconds);
    };
    while (static_cast<double>(kept_bytes()) > most) {
      kept_.erase(std::min_element(kept_.begin(), kept_.end(),
                                   [&](const Kept& a, const Kept& b) { return value(a) < value(b); }));
    }
  }

  int64_t kept_bytes() const {
    int64_t bytes = 0;
    for (const Kept& one : kept_) bytes += one.bytes;
    return bytes;
  }

  // True: something was begun, or the queue has changed.
  bool begin(double now) {
    if (queue_.empty()) return false;
    const size_t queued = queue_.size();
    std::vector<size_t> batch = gather(now);
    if (batch.empty()) return queue_.size() < queued;
    const int shape = jobs_[batch.front()].shape;
    const double planning = shrink_to_gain(batch);
    const int64_t pictures = pictures_of(batch);
    const RunCost& own = cost(shape, pictures);
    if (must_wait_for_another(shape, own.peak_bytes, now)) return false;
    for (const size_t job : batch) queue_.remove(job);
    launch(batch, own, now + planning);
    return true;
  }

  void launch(const std::vector<size_t>& batch, const RunCost& own, double now) {
    const int shape = jobs_[batch.front()].shape;
    const int64_t pictures = pictures_of(batch);
    double factor = 0;
    for (const size_t job : batch) factor += jobs_[job].time_factor / static_cast<double>(batch.size());
    const bool kept = take_kept(shape, pictures);
    const double made = kept ? 0 : own.plan_seconds + own.load_seconds;
    const double ready = now + made + own.waiting_seconds;
    const double computed =
        std::max(ready, cores_free_seconds_) + encode(batch, own) + own.compute_seconds * factor;
    cores_free_seconds_ = computed;
    const Kept leaves = {shape, pictures, own.kept_bytes, own.plan_seconds + own.load_seconds, computed};
    running_.push_back({batch, own.peak_bytes, computed, computed + own.after_seconds, leaves, false});
    shrink_kept(now);
    note_peak();
    ++figures_.runs;
    figures_.kept += kept ? 1 : 0;
    if (batch.size() > 1) figures_.shared += static_cast<int>(batch.size());
  }

  void note_peak() {
    int64_t bytes = kept_bytes();
    for (const Running& run : running_) bytes += run.peak_bytes;
    figures_.peak_bytes = std::max(figures_.peak_bytes, bytes);
  }

  void summarise() {
    std::vector<double> done;
    for (const double seconds : figures_.job_seconds) {
      if (seconds >= 0) done.push_back(seconds);
    }
    if (done.empty()) return;
    std::sort(done.begin(), done.end());
    double sum = 0;
    for (const double seconds : done) sum += seconds;
    figures_.mean_seconds = sum / static_cast<double>(done.size());
    const auto at = [&](double share) {
      return done[std::min(done.size() - 1, static_cast<size_t>(share * static_cast<double>(done.size())))];
    };
    figures_.median_seconds = at(0.5);
    figures_.p95_seconds = at(0.95);
  }

  const std::vector<ReplayJob>& jobs_;
  const ReplayLimits& limits_;
  const CostOfRun& cost_;
  std::map<std::pair<int, int64_t>, RunCost> costs_;
  std::set<std::pair<int, int64_t>> planned_;
  ByteBudget results_, conditioning_;
  std::list<Running> running_;
  std::list<size_t> queue_;
  std::vector<Kept> kept_;
  size_t next_arrival_ = 0;
  double cores_free_seconds_ = 0;
  ReplayFigures figures_;
};

}  // namespace

ReplayFigures replay(const std::vector<ReplayJob>& jobs, const ReplayLimits& limits, const CostOfRun& cost) {
  return Replay(jobs, limits, cost).run();
}

}  // namespace snug
