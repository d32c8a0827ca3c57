#include "pipeline/load_history.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "pipeline/machine_entries.h"
#include "pipeline/run_report.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr size_t kMostLoads = 8;
constexpr double kMostSeconds = 1e7;
constexpr size_t kFigures = 5;

MachineFile file_at(const std::string& path) { return {path, 1, "past loads"}; }

bool is_of(const json& entry, const std::string& identity) {
  return entry.is_object() && entry.value("model", json()) == identity;
}

std::vector<PastLoad> loads_of(const json& entry) {
  std::vector<PastLoad> loads;
  const json list = entry.value("loads", json::array());
  for (const json& item : list) {
    if (!item.is_array() || item.size() != kFigures || loads.size() == kMostLoads) continue;
    if (!item[0].is_number()) continue;
    if (!std::all_of(item.begin() + 1, item.end(), [](const json& n) { return n.is_number_unsigned(); }))
      continue;
    const PastLoad load = {item[0].get<double>(), item[1].get<uint64_t>(), item[2].get<uint64_t>(),
                           item[3].get<int64_t>(), item[4].get<int64_t>()};
    if (std::isfinite(load.seconds) && load.seconds >= 0 && load.seconds < kMostSeconds)
      loads.push_back(load);
  }
  return loads;
}

}  // namespace

double median_load_seconds(const std::vector<PastLoad>& loads) {
  std::vector<double> seconds;
  for (const PastLoad& load : loads) seconds.push_back(load.seconds);
  const auto middle = seconds.begin() + static_cast<ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

std::string loads_path() { return cache_path("loads.json"); }

std::map<std::string, std::vector<PastLoad>> load_past_loads(const std::string& path) {
  std::map<std::string, std::vector<PastLoad>> all;
  if (path.empty()) return all;
  for (const json& entry : read_machine_entries(file_at(path))) {
    if (!entry.is_object() || !entry.contains("model") || !entry["model"].is_string()) continue;
    std::vector<PastLoad> loads = loads_of(entry);
    if (!loads.empty()) all.try_emplace(entry["model"].get<std::string>(), std::move(loads));
  }
  return all;
}

void keep_past_load(const std::string& path, const std::string& identity, const RunReport& report) {
  if (path.empty() || report.read_bytes == 0) return;
  PastLoad load;
  load.seconds = report.load_seconds;
  for (const PhaseReport& phase : report.phases) load.seconds += phase.stall_seconds;
  load.read_bytes = report.read_bytes;
  load.peak_bytes = report.peak_bytes.value_or(0);
  load.width = report.width;
  load.height = report.height;
  const auto past = load_past_loads(path);
  std::vector<PastLoad> loads = {load};
  if (const auto own = past.find(identity); own != past.end())
    loads.insert(loads.end(), own->second.begin(), own->second.end());
  if (loads.size() > kMostLoads) loads.resize(kMostLoads);
  json list = json::array();
  for (const PastLoad& one : loads)
    list.push_back({one.seconds, one.read_bytes, one.peak_bytes, one.width, one.height});
  try {
    prepare_machine_file(file_at(path));
    write_machine_entry(file_at(path), {{"model", identity}, {"loads", list}},
                        [&](const json& other) { return is_of(other, identity); });
  } catch (const Error& error) {
    log::warn("what the model took to load is not kept: {}", error.what());
  }
}

}  // namespace snug
