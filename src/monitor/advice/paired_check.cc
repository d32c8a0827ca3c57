#include "monitor/advice/paired_check.h"

#include <algorithm>

#include "base/stopwatch.h"
#include "monitor/advice/threads_as_they_were.h"
#include "monitor/statistics/quantiles.h"

namespace snug {
namespace {

double figure_of(const TrialFigures& trial, AdviceFigure figure) {
  return figure == AdviceFigure::kFailedJobs ? trial.failed : trial.mean_seconds;
}

// Of nothing to nothing there is no change; of nothing to something it is worse whatever it is.
double ratio_of(const CheckedPair& pair) {
  if (pair.before > 0) return pair.after / pair.before;
  return pair.after > 0 ? 2 : 1;
}

double median_of(const std::vector<CheckedPair>& pairs, double (*value)(const CheckedPair&)) {
  std::vector<double> values;
  for (const CheckedPair& pair : pairs) values.push_back(value(pair));
  return median_in_place(values);
}

}  // namespace

CheckResult check_in_pairs(const Configuration& before, const Configuration& after,
                           const std::vector<PastJob>& jobs, AdviceFigure figure,
                           const MakeServiceOptions& make_options, const CheckOptions& options) {
  const ThreadsAsTheyWere threads;
  const TrialOptions trial = {false, {}, options.cancellation};
  const Stopwatch watch;
  run_trial(after, {jobs.front()}, make_options, trial);
  CheckResult result;
  bool fails_more = false;
  for (int pair = 0; pair < options.most_pairs; ++pair) {
    if (pair >= options.least_pairs && watch.seconds() > options.budget_seconds) break;
    if (options.progress) options.progress(pair, options.most_pairs);
    TrialFigures one, other;
    const auto run_before = [&] { one = run_trial(before, jobs, make_options, trial); };
    const auto run_after = [&] { other = run_trial(after, jobs, make_options, trial); };
    if (pair % 2 == 0) {
      run_before();
      run_after();
    } else {
      run_after();
      run_before();
    }
    fails_more = fails_more || other.failed > one.failed;
    result.pairs.push_back({figure_of(one, figure), figure_of(other, figure)});
  }
  result.before = median_of(result.pairs, [](const CheckedPair& pair) { return pair.before; });
  result.after = median_of(result.pairs, [](const CheckedPair& pair) { return pair.after; });
  result.ratio = median_of(result.pairs, ratio_of);
  const auto [low, high] = std::minmax_element(
      result.pairs.begin(), result.pairs.end(),
      [](const CheckedPair& a, const CheckedPair& b) { return ratio_of(a) < ratio_of(b); });
  result.low_ratio = ratio_of(*low);
  result.high_ratio = ratio_of(*high);
  result.better = result.ratio < 1 && !fails_more;
  return result;
}

}  // namespace snug
