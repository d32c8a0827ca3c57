#include "monitor/advice/adviser.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"
#include "monitor/advice/advice_log.h"
#include "monitor/advice/apply_change.h"
#include "monitor/advice/candidates.h"
#include "monitor/advice/paired_check.h"
#include "monitor/advice/predicted_effect.h"

namespace snug {
namespace {

// Replayed; more would say the same.
constexpr int kMostJobs = 400;
// Of one job there is nothing to be learned of those to come.
constexpr size_t kLeastJobs = 3;
// What a check of a minute cannot show is not advised.
constexpr double kLeastGain = 0.02;
// Of a key's values the first that is within so much of the best: what demands least.
constexpr double kAsGood = 0.01;
// A check runs each job of its sample at least six times, and the slower of two may take longer than before.
constexpr double kSampleShare = 1.0 / 8;

std::string id_of(const AdviceCandidate& candidate) {
  if (!candidate.action) return candidate.key;
  std::string id = candidate.key + '-' + (candidate.action->to.empty() ? "default" : candidate.action->to);
  for (char& letter : id) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '-' || letter == '.';
    if (!plain) letter = '-';
  }
  return id;
}

// What is left of the gain when all goes as badly as one time in twenty.
double sure_gain(const Advice& advice) {
  const PredictedEffect& predicted = advice.predicted;
  return predicted.before > 0 ? 1 - predicted.high_after / predicted.before : 0;
}

bool exceeds_uncertainty(const Advice& advice) {
  return sure_gain(advice) > 0 && advice.gain() >= kLeastGain;
}

}  // namespace

// What the list was made from, for the check that follows.
struct Adviser::Scene {
  PastJobs past;
  std::vector<PastJob> jobs;  // without idle time
  PastErrors errors;
  OpenedModels models;
  PlannedJobs now;
};

void Adviser::tell(std::string_view what, int done, int all) const {
  if (parts_.cancellation != nullptr) parts_.cancellation->check();
  if (parts_.progress) parts_.progress(what, done, all);
}

AdviceList Adviser::list(const AdviceWindow& window) {
  Scene scene;
  scene.past = past_jobs(parts_.database, window.from_ms, window.to_ms, kMostJobs, parts_.configuration);
  return list(scene);
}

AdviceList Adviser::list(Scene& scene) {
  AdviceList list;
  list.left_out = scene.past.left_out;
  list.jobs = static_cast<int>(scene.past.jobs.size());
  if (scene.past.jobs.size() < kLeastJobs) {
    list.reason =
        fmt::format("{} jobs came in this time; advice needs {}", scene.past.jobs.size(), kLeastJobs);
    return list;
  }
  scene.jobs = without_idle_time(scene.past.jobs);
  scene.errors = past_errors(scene.jobs, threads_of(parts_.configuration));
  scene.now = plan_jobs(scene.jobs, parts_.configuration, parts_.make_options, scene.models);
  list.rates = rates_source_name(scene.now.planner->rates().source);
  const std::string basis =
      fmt::format("{} jobs planned again and replayed, corrected by {} measured runs; rates: {}", list.jobs,
                  scene.errors.runs, list.rates);
  std::map<std::string, std::vector<Advice>> by_key;
  const std::vector<AdviceCandidate> all = candidates(parts_.configuration, scene.now);
  int done = 0;
  for (const AdviceCandidate& candidate : all) {
    tell("planning", done++, static_cast<int>(all.size()));
    Advice advice;
    advice.id = id_of(candidate);
    advice.category = candidate.category;
    advice.title = candidate.title;
    advice.action = candidate.action;
    advice.basis = basis;
    try {
      const Configuration changed =
          candidate.action ? with_action(parts_.configuration, *candidate.action) : parts_.configuration;
      PlannedJobs then =
          plan_jobs(scene.jobs, changed, parts_.make_options, scene.models, candidate.change_rates);
      advice.predicted = predicted_effect(scene.now, then, scene.errors);
    } catch (const Error& error) {
      // Not every value is possible with every model; then it is no advice.
      log::debug("{} is not considered: {}", advice.id, error.what());
      continue;
    }
    if (exceeds_uncertainty(advice)) by_key[candidate.key].push_back(std::move(advice));
  }
  for (auto& [key, values] : by_key) {
    const auto best = std::max_element(values.begin(), values.end(),
                                       [](const Advice& a, const Advice& b) { return a.gain() < b.gain(); });
    const double enough = best->gain() - kAsGood;
    list.advice.push_back(
        *std::find_if(values.begin(), values.end(), [&](const Advice& one) { return one.gain() >= enough; }));
  }
  std::stable_sort(list.advice.begin(), list.advice.end(), [](const Advice& a, const Advice& b) {
    if (a.action.has_value() != b.action.has_value()) return a.action.has_value();
    return sure_gain(a) > sure_gain(b);
  });
  if (list.advice.empty()) list.reason = "no change is predicted to gain more than predictions are off";
  const std::map<std::string, MeasuredEffect> applied = AdviceLog(parts_.database).newest();
  for (Advice& advice : list.advice) {
    if (const auto found = applied.find(advice.id); found != applied.end()) advice.applied = found->second;
  }
  return list;
}

AppliedAdvice Adviser::apply(const std::string& id, const AdviceWindow& window) {
  Scene scene;
  scene.past = past_jobs(parts_.database, window.from_ms, window.to_ms, kMostJobs, parts_.configuration);
  const AdviceList all = list(scene);
  const auto found =
      std::find_if(all.advice.begin(), all.advice.end(), [&](const Advice& one) { return one.id == id; });
  if (found == all.advice.end()) {
    throw Error(ErrorCode::kNotFound, fmt::format("there is no advice '{}' now", id),
                all.reason.empty() ? "'snug advise' lists what there is" : all.reason);
  }
  if (!found->action) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("'{}' is nothing that Snug can do by itself", found->title),
                "apply advice that has an action");
  }
  AppliedAdvice applied{*found, false};
  ConfigurationInTrial change(parts_.configuration_file, {*found->action});
  MeasuredEffect effect = check(*found, scene);
  effect.backup = change.backup();
  if (effect.kept) {
    change.keep();
  } else {
    change.restore();
    applied.rolled_back = true;
  }
  applied.advice.applied = effect;
  AdviceLog(parts_.database).add(applied.advice);
  return applied;
}

MeasuredEffect Adviser::check(const Advice& advice, Scene& scene) const {
  const std::vector<PastJob> sample = newest_within(scene.jobs, parts_.check_seconds * kSampleShare);
  const Configuration after = with_action(parts_.configuration, *advice.action);
  PlannedJobs one = plan_jobs(sample, parts_.configuration, parts_.make_options, scene.models);
  PlannedJobs other = plan_jobs(sample, after, parts_.make_options, scene.models);
  const PredictedEffect predicted = predicted_effect(one, other, scene.errors);
  CheckOptions options;
  options.budget_seconds = parts_.check_seconds;
  options.cancellation = parts_.cancellation;
  options.progress = [this](int done, int all) { tell("checking", done, all); };
  const CheckResult result = check_in_pairs(parts_.configuration, after, sample, advice.predicted.figure,
                                            parts_.make_options, options);
  MeasuredEffect effect;
  effect.at_ms = parts_.database.now_ms();
  effect.jobs = static_cast<int>(sample.size());
  effect.pairs = static_cast<int>(result.pairs.size());
  effect.predicted_before = predicted.before;
  effect.predicted_after = predicted.after;
  effect.before = result.before;
  effect.after = result.after;
  effect.ratio = result.ratio;
  effect.low_ratio = result.low_ratio;
  effect.high_ratio = result.high_ratio;
  effect.kept = result.better;
  return effect;
}

nlohmann::ordered_json to_json(const AdviceList& list) {
  using nlohmann::ordered_json;
  ordered_json advice = ordered_json::array();
  for (const Advice& one : list.advice) advice.push_back(to_json(one));
  return {{"advice", advice},
          {"jobs", list.jobs},
          {"jobs_left_out", list.left_out},
          {"rates", list.rates.empty() ? ordered_json() : ordered_json(list.rates)},
          {"reason", list.reason.empty() ? ordered_json() : ordered_json(list.reason)}};
}

}  // namespace snug
