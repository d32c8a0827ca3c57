#include "monitor/advice/past_errors.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <nlohmann/json.hpp>

#include "monitor/statistics/outliers.h"
#include "monitor/statistics/quantiles.h"
#include "pipeline/prediction_history.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// What is shorter is measured too badly to say anything.
constexpr double kLeastSeconds = 1e-3;

struct Sums {
  double predicted = 0, measured = 0;
  std::optional<double> ratio() const {
    if (predicted < kLeastSeconds || measured < kLeastSeconds) return std::nullopt;
    return measured / predicted;
  }
};

struct RunErrors {
  Sums kernels, waiting;
};

// Phases that were not gone through (a prompt that was cached) took no time.
RunErrors errors_of(const std::string& detail, bool kept) {
  RunErrors errors;
  const ordered_json json = ordered_json::parse(detail, nullptr, false);
  if (!json.is_object() || !json.contains("phases")) return errors;
  for (const ordered_json& phase : json.at("phases")) {
    const auto number = [&](const char* name) { return phase.value(name, 0.0); };
    if (number("seconds") <= 0) continue;
    errors.kernels.predicted += number("predicted_seconds") - number("predicted_waiting_seconds");
    errors.kernels.measured += number("seconds") - number("waiting_seconds");
    // A run that found its weights did not wait as was predicted.
    if (kept) continue;
    errors.waiting.predicted += number("predicted_waiting_seconds");
    errors.waiting.measured += number("waiting_seconds");
  }
  return errors;
}

double median_or(std::vector<double> values, double otherwise) {
  return values.empty() ? otherwise : median_in_place(values);
}

double median_of(std::vector<double> values) { return median_in_place(values); }

struct Collected {
  std::vector<double> kernels, waiting, planning, opening, around, cached;
};

void collect(const RunRecord& record, Collected& all) {
  if (record.state != "done") return;
  if (record.cached) {
    all.cached.push_back(record.total_seconds.value_or(0));
    return;
  }
  const RunErrors errors = errors_of(record.detail, record.kept);
  if (const auto ratio = errors.kernels.ratio()) all.kernels.push_back(*ratio);
  if (const auto ratio = errors.waiting.ratio()) all.waiting.push_back(*ratio);
  if (!record.kept && record.plan_seconds) all.planning.push_back(*record.plan_seconds);
  if (!record.kept && record.load_seconds) all.opening.push_back(*record.load_seconds);
  if (record.total_seconds && record.phases_seconds && record.earlier_seconds.value_or(0) == 0) {
    const double inside = record.queue_seconds.value_or(0) + record.plan_seconds.value_or(0) +
                          record.load_seconds.value_or(0) + record.turn_wait_seconds.value_or(0) +
                          *record.phases_seconds;
    all.around.push_back(std::max(0.0, *record.total_seconds - inside));
  }
}

}  // namespace

double PastErrors::kernel_ratio() const { return median_of(kernel_ratios); }
double PastErrors::waiting_ratio() const { return median_of(waiting_ratios); }

PastErrors past_errors(const std::vector<PastJob>& jobs, int threads) {
  Collected same, any;
  for (const PastJob& job : jobs) {
    collect(job.record, any);
    if (job.record.threads == threads) collect(job.record, same);
  }
  const Collected& ratios = same.kernels.size() >= kEnoughRuns ? same : any;
  PastErrors errors;
  errors.runs = static_cast<int>(ratios.kernels.size());
  if (!ratios.kernels.empty()) errors.kernel_ratios = ratios.kernels;
  if (!ratios.waiting.empty()) errors.waiting_ratios = ratios.waiting;
  errors.planning_seconds = median_or(any.planning, 0);
  errors.opening_seconds = median_or(any.opening, 0);
  errors.around_seconds = median_or(any.around, 0);
  errors.cached_seconds = median_or(any.cached, errors.around_seconds);
  return errors;
}

double drawn_ratio(const std::vector<double>& ratios, int runs, RepeatableRandom& random) {
  std::vector<double> drawn(ratios.size());
  for (double& ratio : drawn) ratio = ratios[random.below(ratios.size())];
  const double median = median_in_place(drawn);
  if (static_cast<size_t>(runs) >= kEnoughRuns) return median;
  // Thirty-nine of forty are within the guess: two standard deviations.
  return median * std::exp(random.normal() * std::log(PredictionError().most_ratio) / 2);
}

double drawn_error(const PastErrors& errors, RepeatableRandom& random) {
  std::vector<double> logarithms;
  for (const double ratio : errors.kernel_ratios) logarithms.push_back(std::log(ratio));
  const auto scatter = spread(logarithms);
  const double guessed = std::log(PredictionError().most_ratio) / 2;
  return std::exp(random.normal() * std::hypot(guessed, scatter ? scatter->deviation : 0));
}

}  // namespace snug
