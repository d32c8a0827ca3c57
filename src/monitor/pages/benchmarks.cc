#include "monitor/pages/benchmarks.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "monitor/pages/page_json.h"
#include "monitor/pages/task_records.h"
#include "monitor/statistics/quantiles.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMostFrequent = 5;

// What makes two requests the same work.
using Work = std::tuple<std::string, int64_t, int64_t, int64_t, std::string>;

struct Seen {
  std::vector<double> seconds, predicted;  // of the same runs where both are known
};

// One picture in a run of its own: what the planned time is of.
bool is_single_run(const RunRecord& record) {
  return record.state == "done" && !record.cached && record.kind == "text_to_image" &&
         record.batch.value_or(1) == 1 && generation_seconds(record).has_value();
}

std::map<Work, Seen> seen_of(std::span<const RunRecord> ended) {
  std::map<Work, Seen> all;
  for (const RunRecord& record : ended) {
    if (!is_single_run(record)) continue;
    Seen& seen = all[{record.model, record.width, record.height, record.steps, record.sampler}];
    seen.seconds.push_back(*generation_seconds(record));
    if (record.predicted_seconds.has_value()) seen.predicted.push_back(*record.predicted_seconds);
  }
  return all;
}

std::string_view verdict_of(double seconds, double planned_seconds) {
  if (seconds <= planned_seconds * kOptimalMultiple) return "optimal";
  if (seconds <= planned_seconds * kAcceptableMultiple) return "acceptable";
  return seconds <= planned_seconds * kMaximumMultiple ? "slow" : "too_slow";
}

ordered_json current_json(const Seen* seen) {
  const auto summary = seen == nullptr ? std::nullopt : summarize(seen->seconds);
  if (!summary.has_value()) return {{"count", 0}, {"p50_seconds", nullptr}, {"p95_seconds", nullptr}};
  return {{"count", summary->count}, {"p50_seconds", summary->p50}, {"p95_seconds", summary->p95}};
}

ordered_json target_json(const PlannedUse& use, const Seen* seen) {
  const auto times = [&](double multiple) {
    return use.planned_seconds.has_value() ? ordered_json(*use.planned_seconds * multiple) : ordered_json();
  };
  std::optional<double> median;
  if (seen != nullptr) median = quantile(std::span<const double>(seen->seconds), 0.5);
  const bool is_known = median.has_value() && use.planned_seconds.has_value();
  ordered_json json;
  json["use"] = use.use;
  json["model"] = or_null(use.model);
  json["resolution"] =
      use.width > 0 ? ordered_json(fmt::format("{}x{}", use.width, use.height)) : ordered_json();
  json["steps"] = use.steps > 0 ? ordered_json(use.steps) : ordered_json();
  json["sampler"] = or_null(use.sampler);
  json["unit"] = "seconds";
  json["planned_seconds"] = or_null(use.planned_seconds);
  json["optimal"] = times(kOptimalMultiple);
  json["acceptable"] = times(kAcceptableMultiple);
  json["maximum"] = times(kMaximumMultiple);
  json["current"] = current_json(seen);
  json["meets_targets"] =
      is_known ? ordered_json(*median <= *use.planned_seconds * kAcceptableMultiple) : ordered_json();
  json["verdict"] = is_known ? verdict_of(*median, *use.planned_seconds) : "unknown";
  json["problem"] = or_null(use.problem);
  return json;
}

// The most frequent work that no preset is.
std::vector<PlannedUse> frequent_uses(const std::map<Work, Seen>& all, std::span<const PlannedUse> presets) {
  std::vector<std::pair<Work, const Seen*>> frequent;
  for (const auto& [work, seen] : all) {
    const bool is_preset = std::ranges::any_of(presets, [&, &key = work](const PlannedUse& use) {
      return key == Work{use.model, use.width, use.height, use.steps, use.sampler};
    });
    if (!is_preset) frequent.emplace_back(work, &seen);
  }
  std::ranges::stable_sort(frequent, [](const auto& a, const auto& b) {
    return a.second->seconds.size() > b.second->seconds.size();
  });
  frequent.resize(std::min(frequent.size(), kMostFrequent));
  std::vector<PlannedUse> uses;
  for (const auto& [work, seen] : frequent) {
    PlannedUse& use = uses.emplace_back();
    use.use = "in_use";
    std::tie(use.model, use.width, use.height, use.steps, use.sampler) = work;
    use.planned_seconds = quantile(std::span<const double>(seen->predicted), 0.5);
    if (!use.planned_seconds.has_value()) use.problem = "nothing was planned for these jobs";
  }
  return uses;
}

}  // namespace

ordered_json benchmarks(std::span<const RunRecord> ended, std::span<const PlannedUse> uses) {
  const std::map<Work, Seen> all = seen_of(ended);
  ordered_json targets = ordered_json::array();
  const auto add = [&](const PlannedUse& use) {
    const auto found = all.find({use.model, use.width, use.height, use.steps, use.sampler});
    targets.push_back(target_json(use, found == all.end() ? nullptr : &found->second));
  };
  std::ranges::for_each(uses, add);
  std::ranges::for_each(frequent_uses(all, uses), add);
  return {
      {"basis",
       "multiples, configured, of the time planned from this machine's measured rates; current values are "
       "measured"},
      {"multiples",
       {{"optimal", kOptimalMultiple}, {"acceptable", kAcceptableMultiple}, {"maximum", kMaximumMultiple}}},
      {"targets", std::move(targets)}};
}

}  // namespace snug
