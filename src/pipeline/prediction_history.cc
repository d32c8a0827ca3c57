#include "pipeline/prediction_history.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "pipeline/machine_entries.h"
#include "pipeline/rates_file.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr size_t kMostRuns = 64;
constexpr double kMostSeconds = 1e7;
// More than the nineteen of twenty that are promised: the machine of tomorrow is not quite that of the last
// runs.
constexpr double kMostShare = 0.975;

MachineFile file_at(const std::string& path) { return {path, 1, "past predictions"}; }

bool is_of(const json& entry, const RatesKey& key) {
  return entry.is_object() && entry.value("processor", json()) == key.processor &&
         entry.value("instruction_set", json()) == key.instruction_set &&
         entry.value("threads", json()) == key.threads;
}

// What so many of the values keep to, rounded up: with few values the highest itself.
double kept_by_most(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<size_t>(std::ceil(kMostShare * static_cast<double>(values.size()))) - 1;
  return values[at];
}

bool is_plausible(double seconds) { return std::isfinite(seconds) && seconds > 0 && seconds < kMostSeconds; }

}  // namespace

PredictionError prediction_error(const std::vector<PastRun>& runs) {
  PredictionError error;
  error.runs = runs.size();
  if (runs.size() < kEnoughRuns) return error;
  std::vector<double> ratios, beside;
  for (const PastRun& run : runs) {
    ratios.push_back(run.phase_seconds / run.predicted_seconds);
    beside.push_back(std::max(0.0, run.total_seconds - run.phase_seconds));
  }
  error.most_ratio = kept_by_most(ratios);
  error.most_beside_seconds = kept_by_most(beside);
  std::nth_element(ratios.begin(), ratios.begin() + static_cast<ptrdiff_t>(ratios.size() / 2), ratios.end());
  error.median_ratio = ratios[ratios.size() / 2];
  return error;
}

std::string predictions_path() { return cache_path("predictions.json"); }

std::vector<PastRun> load_past_runs(const std::string& path, const Backend& backend) {
  std::vector<PastRun> runs;
  if (path.empty()) return runs;
  const RatesKey key = rates_key(backend);
  for (const json& entry : read_machine_entries(file_at(path))) {
    if (!is_of(entry, key)) continue;
    const json list = entry.value("runs", json::array());
    for (const json& item : list) {
      if (!item.is_array() || item.size() != 3 || runs.size() == kMostRuns) continue;
      if (!std::all_of(item.begin(), item.end(), [](const json& n) { return n.is_number(); })) continue;
      const PastRun run = {item[0].get<double>(), item[1].get<double>(), item[2].get<double>()};
      if (is_plausible(run.predicted_seconds) && is_plausible(run.phase_seconds) &&
          is_plausible(run.total_seconds)) {
        runs.push_back(run);
      }
    }
    break;
  }
  return runs;
}

void keep_past_run(const std::string& path, const Backend& backend, const PastRun& run) {
  if (path.empty() || !is_plausible(run.predicted_seconds) || !is_plausible(run.phase_seconds)) return;
  const RatesKey key = rates_key(backend);
  std::vector<PastRun> runs = load_past_runs(path, backend);
  runs.insert(runs.begin(), run);
  if (runs.size() > kMostRuns) runs.resize(kMostRuns);
  json list = json::array();
  for (const PastRun& past : runs)
    list.push_back({past.predicted_seconds, past.phase_seconds, past.total_seconds});
  const json entry = {{"processor", key.processor},
                      {"instruction_set", key.instruction_set},
                      {"threads", key.threads},
                      {"runs", list}};
  try {
    prepare_machine_file(file_at(path));
    write_machine_entry(file_at(path), entry, [&](const json& other) { return is_of(other, key); });
  } catch (const Error& error) {
    log::warn("the prediction's error is not kept: {}", error.what());
  }
}

}  // namespace snug
