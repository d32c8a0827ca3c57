#include "monitor/advice/predicted_effect.h"

#include <algorithm>
#include <map>
#include <utility>

#include "monitor/statistics/quantiles.h"
#include "monitor/statistics/repeatable_random.h"

namespace snug {
namespace {

constexpr int kDraws = 60;
constexpr double kLow = 0.05, kHigh = 0.95;
// The same list is the same tomorrow.
constexpr uint64_t kSeed = 7;

// Of each job's own pictures; equal contents have equal files. Unknown: as the others'.
std::vector<int64_t> result_bytes(const std::vector<PastJob>& jobs) {
  std::map<std::string, int64_t> known;
  std::vector<double> all;
  for (const PastJob& job : jobs) {
    const RunRecord& record = job.record;
    if (!record.written_bytes) continue;
    const int64_t own = *record.written_bytes * record.pictures /
                        std::max<int64_t>(1, record.batch.value_or(record.pictures));
    known[job.content] = own;
    all.push_back(static_cast<double>(own));
  }
  const auto usual = all.empty() ? int64_t{0} : static_cast<int64_t>(median_in_place(all));
  std::vector<int64_t> bytes;
  for (const PastJob& job : jobs) {
    const auto found = known.find(job.content);
    bytes.push_back(found == known.end() ? usual : found->second);
  }
  return bytes;
}

struct Ratios {
  double kernels = 1, waiting = 1;
};

ReplayFigures replay_with(PlannedJobs& planned, const PastErrors& errors, const Ratios& ratios) {
  ReplayLimits limits = planned.planner->limits();
  limits.cached_seconds = errors.cached_seconds;
  return replay(planned.jobs, limits, [&](int shape, int64_t pictures) {
    RunCost cost = planned.planner->cost(shape, pictures);
    cost.plan_seconds = errors.planning_seconds;
    cost.encode_seconds *= ratios.kernels;
    cost.compute_seconds *= ratios.kernels;
    cost.waiting_seconds *= ratios.waiting;
    cost.load_seconds = cost.load_seconds * ratios.waiting + errors.opening_seconds;
    cost.after_seconds = errors.around_seconds * static_cast<double>(pictures);
    return cost;
  });
}

double figure_of(const ReplayFigures& figures, AdviceFigure figure) {
  return figure == AdviceFigure::kFailedJobs ? figures.failed : figures.mean_seconds;
}

bool same_kernels(const PlannedJobs& a, const PlannedJobs& b) {
  return a.planner->precision() == b.planner->precision() &&
         a.planner->rates().threads == b.planner->rates().threads;
}

bool same_reading(const PlannedJobs& a, const PlannedJobs& b) {
  const Rates &one = a.planner->rates(), &other = b.planner->rates();
  return one.read_bytes == other.read_bytes && a.planner->reads_direct() == b.planner->reads_direct();
}

}  // namespace

PlannedJobs plan_jobs(const std::vector<PastJob>& jobs, const Configuration& configuration,
                      const MakeServiceOptions& make_options, OpenedModels& models,
                      const std::function<void(Rates&)>& change_rates) {
  PlannedJobs planned;
  planned.planner = std::make_unique<JobPlanner>(configuration, make_options, models, change_rates);
  const std::vector<int64_t> bytes = result_bytes(jobs);
  for (size_t i = 0; i < jobs.size(); ++i) {
    ReplayJob job;
    job.arrival_seconds = jobs[i].arrival_seconds - jobs.front().arrival_seconds;
    job.shape = planned.planner->shape_of_job(jobs[i]);
    job.pictures = planned.planner->pictures_of(jobs[i]);
    job.content = jobs[i].content;
    job.prompt = jobs[i].prompt;
    job.result_bytes = bytes[i];
    planned.jobs.push_back(std::move(job));
  }
  return planned;
}

ReplayFigures replay_planned(PlannedJobs& planned, const PastErrors& errors) {
  return replay_with(planned, errors, {errors.kernel_ratio(), errors.waiting_ratio()});
}

PredictedEffect predicted_effect(PlannedJobs& before, PlannedJobs& after, const PastErrors& errors) {
  const ReplayFigures now = replay_planned(before, errors), then = replay_planned(after, errors);
  PredictedEffect effect;
  effect.figure = then.failed != now.failed ? AdviceFigure::kFailedJobs : AdviceFigure::kMeanJobSeconds;
  effect.before = figure_of(now, effect.figure);
  effect.after = figure_of(then, effect.figure);
  effect.peak_bytes_before = now.peak_bytes;
  effect.peak_bytes_after = then.peak_bytes;
  const bool alike = same_kernels(before, after), reads_alike = same_reading(before, after);
  RepeatableRandom random(kSeed);
  std::vector<double> afters;
  int better = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    const Ratios own = {drawn_ratio(errors.kernel_ratios, errors.runs, random),
                        drawn_ratio(errors.waiting_ratios, errors.runs, random)};
    Ratios other = own;
    if (!alike) other.kernels *= drawn_error(errors, random);
    if (!reads_alike) other.waiting *= drawn_error(errors, random);
    const double one = figure_of(replay_with(before, errors, own), effect.figure);
    const double two = figure_of(replay_with(after, errors, other), effect.figure);
    better += two < one ? 1 : 0;
    // Of what is predicted for the present one: only the difference is in question.
    afters.push_back(one > 0 ? two / one * effect.before : two);
  }
  effect.low_after = *quantile(afters, kLow);
  effect.high_after = *quantile(afters, kHigh);
  effect.confidence = static_cast<double>(better) / kDraws;
  return effect;
}

}  // namespace snug
