// The pages of what was found out and of what would help: analysis, recommendations, optimize.
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "monitor/pages/page_json.h"
#include "monitor/pages/page_parts.h"
#include "monitor/pages/window_trends.h"
#include "monitor/performance.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 4> kCategories = {"hardware", "configuration", "workflow", "general"};

// Ids of jobs, wherever they stand.
void hide_ids(ordered_json& json) {
  for (auto& [name, value] : json.items()) {
    if (value.is_structured()) hide_ids(value);
    if (name == "id" && value.is_string()) value = nullptr;
  }
}

// From this share of the time on a kind of finding is told as a bottleneck. Arithmetic always has a share, so
// it has to have more than all else together.
constexpr double kBindingShare = 0.1, kBindingComputeShare = 0.5;

// The share of time that findings of these kinds took; 0 when there is none.
double share_of(const ordered_json& bottlenecks, std::initializer_list<std::string_view> kinds) {
  double share = 0;
  for (const ordered_json& each : bottlenecks) {
    if (std::ranges::find(kinds, each.at("kind").get<std::string>()) != kinds.end())
      share += each.at("share").get<double>();
  }
  return share;
}

}  // namespace

// What was found is for everybody; in which jobs, for who may name all of them.
ordered_json Performance::findings(const WindowSource& source, const TimeWindow& asked,
                                   const Viewer& viewer) {
  ordered_json list = list_of(source, asked);
  if (!viewer.owner.empty()) hide_ids(list);
  return list;
}

ordered_json Performance::analysis(int64_t hours, const Viewer& viewer) const {
  const TimeWindow asked = window(hours);
  const WindowStatistics past = read_window_statistics(sources_.database, records_in(asked));
  const std::optional<Summary> generation = past.generation().summary();
  const ordered_json found = findings(sources_.bottlenecks, asked, viewer);
  const bool is_known = sources_.bottlenecks && past.counts().runs() > 0;
  const auto binds = [&](std::initializer_list<std::string_view> kinds) {
    return is_known ? ordered_json(share_of(found, kinds) >= kBindingShare) : ordered_json();
  };
  const auto computes = [&]() -> ordered_json {
    if (!is_known) return {};
    return share_of(found, {"compute"}) >= kBindingComputeShare ||
           share_of(found, {"throttling", "other_programs"}) >= kBindingShare;
  };
  ordered_json advised = ordered_json::array();
  for (const ordered_json& item : advice_list(asked)) advised.push_back(item.at("title"));
  for (const ordered_json& item : found) {
    if (item.at("recommendation").is_string() && !item.at("recommendation").get<std::string>().empty())
      advised.push_back(item.at("recommendation"));
  }
  return {{"time_window_hours", hours},
          {"average_generation_time", generation ? ordered_json(generation->mean) : ordered_json()},
          {"success_rate", or_null(past.counts().success_rate())},
          {"resource_efficiency", resource_efficiency(sources_.database, asked)},
          {"bottleneck_analysis",
           {// No run has been on a GPU.
            {"vram_bottleneck", nullptr},
            {"ram_bottleneck", binds({"memory_pressure"})},
            {"cpu_bottleneck", computes()},
            {"model_load_bottleneck", binds({"load", "disk"})},
            {"details", found}}},
          {"optimization_recommendations", std::move(advised)},
          {"performance_trends", performance_trends(sources_.database, asked, past)}};
}

ordered_json Performance::advice_list(const TimeWindow& asked) const {
  return sources_.advice ? sources_.advice(asked) : ordered_json::array();
}

ordered_json Performance::recommendations(int64_t hours) const {
  const TimeWindow asked = window(hours);
  ordered_json json = {{"time_window_hours", hours}};
  for (const std::string_view category : kCategories) json[std::string(category)] = ordered_json::array();
  for (ordered_json& item : advice_list(asked)) {
    const std::string category = item.value("category", "general");
    json[json.contains(category) ? category : "general"].push_back(std::move(item));
  }
  return json;
}

ordered_json Performance::apply_advice(const std::string& id) const {
  if (!sources_.apply) {
    throw Error(ErrorCode::kUnsupported, "this process does not change its configuration",
                "use `snug advise --apply`");
  }
  return {{"applied", sources_.apply(id)}};
}

ordered_json Performance::optimize(int64_t hours, bool auto_apply) const {
  ordered_json advice = advice_list(window(hours)), applied;
  if (auto_apply) {
    const auto first = std::ranges::find_if(advice, [](const ordered_json& item) {
      // What was carried out before has shown what it does; a person may say to do it again.
      return !item.at("action").is_null() && item.at("applied").is_null();
    });
    // Where there is nothing to do, nothing was done.
    if (first != advice.end()) applied = apply_advice(first->at("id").get<std::string>())["applied"];
  }
  return {{"advice", std::move(advice)}, {"applied", std::move(applied)}};
}

}  // namespace snug
