#include "monitor/advice/optimiser.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/cores.h"
#include "base/units.h"
#include "monitor/advice/advice_log.h"
#include "monitor/advice/apply_change.h"
#include "monitor/advice/paired_check.h"
#include "monitor/advice/predicted_effect.h"

namespace snug {
namespace {

constexpr int kMostJobs = 400;
// Of the time limit, for one round of one configuration: there are about ten, and a dozen rounds.
constexpr double kSampleShare = 1.0 / 100;
// Of the time limit, for the single changes; the rest is for the best of them together.
constexpr double kSingleShare = 0.7;
constexpr double kCheckShare = 0.5;
// Nothing is as small as that, and no size may be 0.
constexpr const char* kNoCache = "1B";

std::vector<PastJob> made_up_jobs() {
  std::vector<PastJob> jobs;
  for (const uint64_t seed : {uint64_t{1}, uint64_t{2}, uint64_t{1}}) {
    PastJob job;
    job.fields.prompt = "a castle on a hill at sunset";
    job.fields.seed = seed;
    job.is_whole = true;
    job.content = std::to_string(seed);
    job.prompt = job.fields.prompt;
    job.period = static_cast<int>(jobs.size());
    jobs.push_back(std::move(job));
  }
  return jobs;
}

void add(std::vector<BenchmarkVariant>& variants, const Configuration& configuration, std::string_view key,
         const std::string& to) {
  BenchmarkVariant variant;
  const Action action = action_on(configuration, key, to);
  if (action.from == action.to) return;
  variant.name = fmt::format("{} {}", key, to);
  variant.actions = {action};
  variants.push_back(std::move(variant));
}

// Budgets between what the jobs take and the least with which they can be planned, largest first.
std::vector<std::string> smaller_budgets(const std::vector<PastJob>& jobs, const AdviserParts& parts,
                                         OpenedModels& models) {
  PlannedJobs now = plan_jobs(jobs, parts.configuration, parts.make_options, models);
  int64_t peak_bytes = 0;
  for (const ReplayJob& job : now.jobs)
    peak_bytes = std::max(peak_bytes, now.planner->cost(job.shape, job.pictures).peak_bytes);
  constexpr std::array kShares = {1.0, 0.8, 0.6};
  std::vector<std::string> budgets;
  for (const double share : kShares) {
    const auto mib = static_cast<uint64_t>(std::ceil(static_cast<double>(peak_bytes) * share / kMiB));
    const std::string text = fmt::format("{}MiB", mib);
    const Action action = action_on(parts.configuration, "memory", text);
    PlannedJobs then = plan_jobs(jobs, with_action(parts.configuration, action), parts.make_options, models);
    const bool fits = std::all_of(then.jobs.begin(), then.jobs.end(), [&](const ReplayJob& job) {
      return then.planner->cost(job.shape, job.pictures).fits;
    });
    if (fits) budgets.push_back(text);
  }
  return budgets;
}

// The best change of each setting that is better than none, together.
std::optional<BenchmarkVariant> combined(const std::vector<BenchmarkVariant>& variants) {
  std::vector<const BenchmarkVariant*> better;
  for (const BenchmarkVariant& variant : variants) {
    if (variant.score < variants.front().score && !variant.actions.empty()) better.push_back(&variant);
  }
  std::sort(better.begin(), better.end(),
            [](const BenchmarkVariant* a, const BenchmarkVariant* b) { return a->score < b->score; });
  BenchmarkVariant all;
  all.name = "combined";
  std::set<std::string> keys;
  for (const BenchmarkVariant* variant : better) {
    if (keys.insert(variant->actions.front().key).second) all.actions.push_back(variant->actions.front());
  }
  if (all.actions.size() < 2) return std::nullopt;
  return all;
}

void add_stage(RecordAnalysis& analysis, size_t index, const std::optional<double>& seconds) {
  analysis.stage_seconds[index].second += seconds.value_or(0);
}

}  // namespace

RecordAnalysis Optimiser::analyze() {
  RecordAnalysis analysis;
  const PastJobs past = past_jobs(parts_.database, options_.window.from_ms, options_.window.to_ms, kMostJobs,
                                  parts_.configuration);
  analysis.stage_seconds = {{"queue", 0},  {"plan", 0},  {"load", 0}, {"encode", 0},   {"denoise", 0},
                            {"decode", 0}, {"write", 0}, {"keep", 0}, {"turn_wait", 0}};
  for (const PastJob& job : past.jobs) {
    const RunRecord& record = job.record;
    ++analysis.jobs;
    analysis.failed += record.state == "failed" ? 1 : 0;
    analysis.cached += record.cached ? 1 : 0;
    analysis.kept += record.kept ? 1 : 0;
    if (record.state != "done") continue;
    analysis.total_seconds += record.total_seconds.value_or(0);
    size_t index = 0;
    for (const auto member :
         {&RunRecord::queue_seconds, &RunRecord::plan_seconds, &RunRecord::load_seconds,
          &RunRecord::encode_seconds, &RunRecord::denoise_seconds, &RunRecord::decode_seconds,
          &RunRecord::write_seconds, &RunRecord::keep_seconds, &RunRecord::turn_wait_seconds}) {
      add_stage(analysis, index++, record.*member);
    }
    const auto detail = nlohmann::ordered_json::parse(record.detail, nullptr, false);
    if (!detail.is_object() || !detail.contains("peak_kinds")) continue;
    analysis.peak_kind_bytes.clear();
    for (const auto& [kind, bytes] : detail.at("peak_kinds").items())
      analysis.peak_kind_bytes.emplace_back(kind, bytes.get<int64_t>());
  }
  analysis.advice = Adviser(parts_).list(options_.window);
  return analysis;
}

std::vector<PastJob> Optimiser::sample() {
  const PastJobs past = past_jobs(parts_.database, options_.window.from_ms, options_.window.to_ms, kMostJobs,
                                  parts_.configuration);
  std::vector<PastJob> done;
  for (const PastJob& job : past.jobs) {
    if (job.is_whole && job.record.state == "done") done.push_back(job);
  }
  made_up_ = done.empty();
  if (made_up_) return made_up_jobs();
  return newest_within(without_idle_time(std::move(done)), options_.time_limit_seconds * kSampleShare);
}

std::vector<BenchmarkVariant> Optimiser::single_changes(const std::vector<PastJob>& jobs) {
  const Configuration& configuration = parts_.configuration;
  std::vector<BenchmarkVariant> variants(1);
  variants.front().name = "present";
  OpenedModels models;
  PlannedJobs now = plan_jobs(jobs, configuration, parts_.make_options, models);
  for (const char* const type : {"f32", "bf16"}) {
    if (now.planner->precision() != type) add(variants, configuration, "precision", type);
  }
  std::set<int> threads = {1, (core_layout().physical + 1) / 2, core_layout().physical,
                           static_cast<int>(core_layout().logical.size())};
  threads.erase(threads_of(configuration));
  for (const int count : threads) add(variants, configuration, "threads", std::to_string(count));
  for (const std::string& budget : smaller_budgets(jobs, parts_, models))
    add(variants, configuration, "memory", budget);
  const bool sampler_is_open = std::all_of(
      jobs.begin(), jobs.end(), [](const PastJob& job) { return !job.fields.sampler.has_value(); });
  if (sampler_is_open) {
    for (const char* const sampler : {"euler", "dpmpp_2m_karras", "unipc"})
      add(variants, configuration, "default_sampler", sampler);
  }
  for (const char* const cache : {"result_cache", "conditioning_cache"}) {
    const uint64_t bytes = parse_bytes(setting_text(configuration, cache), cache);
    add(variants, configuration, cache, bytes > 1 ? kNoCache : "64MiB");
  }
  return variants;
}

BenchmarkResult Optimiser::benchmark() {
  jobs_ = sample();
  BenchmarkResult benchmark;
  benchmark.jobs = static_cast<int>(jobs_.size());
  benchmark.made_up = made_up_;
  benchmark.variants = single_changes(jobs_);
  BenchmarkOptions options;
  options.cancellation = parts_.cancellation;
  options.progress = options_.progress;
  options.time_limit_seconds = options_.time_limit_seconds * kSingleShare;
  measure(benchmark.variants, parts_.configuration, jobs_, parts_.make_options, options);
  judge(benchmark.variants, options_.weights);
  if (auto best = combined(benchmark.variants)) {
    // Beside the present one again: what is compared has run at the same time.
    std::vector<BenchmarkVariant> pair = {benchmark.variants.front(), *best};
    pair.front().samples.clear();
    pair.front().peak_samples.clear();
    options.time_limit_seconds = options_.time_limit_seconds * (1 - kSingleShare);
    measure(pair, parts_.configuration, jobs_, parts_.make_options, options);
    // As the one that was measured with all others would have it.
    BenchmarkVariant& together = pair.back();
    const double scale = pair.front().seconds.median > 0
                             ? benchmark.variants.front().seconds.median / pair.front().seconds.median
                             : 1;
    for (double& seconds : together.samples) seconds *= scale;
    if (!together.samples.empty()) together.seconds = sample_interval(together.samples);
    benchmark.variants.push_back(std::move(together));
    judge(benchmark.variants, options_.weights);
  }
  for (size_t i = 1; i < benchmark.variants.size(); ++i) {
    if (benchmark.variants[i].score < benchmark.variants[benchmark.winner].score) benchmark.winner = i;
  }
  return benchmark;
}

std::optional<AppliedWinner> Optimiser::apply_winner(const BenchmarkResult& benchmark) {
  if (benchmark.winner == 0) return std::nullopt;
  const BenchmarkVariant &winner = benchmark.variants[benchmark.winner],
                         &present = benchmark.variants.front();
  ConfigurationInTrial change(parts_.configuration_file, winner.actions);
  CheckOptions options;
  options.budget_seconds = options_.time_limit_seconds * kCheckShare;
  options.cancellation = parts_.cancellation;
  if (options_.progress) {
    options.progress = [this](int done, int all) { options_.progress(done, all, 0); };
  }
  const CheckResult result =
      check_in_pairs(parts_.configuration, with_actions(parts_.configuration, winner.actions), jobs_,
                     AdviceFigure::kMeanJobSeconds, parts_.make_options, options);
  AppliedWinner applied;
  const double memory_ratio =
      present.peak_bytes.median > 0 ? winner.peak_bytes.median / present.peak_bytes.median : 1;
  applied.score_before = score(1, 1, present.ssim, options_.weights);
  applied.score_after = score(result.ratio, memory_ratio, winner.ssim, options_.weights);
  MeasuredEffect& effect = applied.effect;
  effect.at_ms = parts_.database.now_ms();
  effect.jobs = benchmark.jobs;
  effect.pairs = static_cast<int>(result.pairs.size());
  effect.predicted_before = present.seconds.median;
  effect.predicted_after = winner.seconds.median;
  effect.before = result.before;
  effect.after = result.after;
  effect.ratio = result.ratio;
  effect.low_ratio = result.low_ratio;
  effect.high_ratio = result.high_ratio;
  effect.backup = change.backup();
  effect.kept = applied.score_after < applied.score_before;
  if (effect.kept) {
    change.keep();
  } else {
    change.restore();
  }
  Advice advice;
  advice.id = "optimize-" + std::to_string(effect.at_ms);
  advice.title = winner.name;
  advice.category = AdviceCategory::kConfiguration;
  advice.action = winner.actions.front();
  advice.basis = fmt::format("{} samples of {} jobs, measured", winner.samples.size(), benchmark.jobs);
  advice.applied = effect;
  AdviceLog(parts_.database).add(advice);
  return applied;
}

}  // namespace snug
