#include "monitor/pages/window_trends.h"

#include <map>
#include <string_view>
#include <utility>

#include "monitor/pages/page_json.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kHourMs = 3'600'000;

constexpr std::string_view kEfficiencySql =
    "SELECT SUM(phases_seconds - waiting_seconds), SUM(total_seconds - queue_seconds) FROM run_record "
    "WHERE finished_ms >= ? AND finished_ms < ? AND state = 'done' AND cached = 0 "
    "AND phases_seconds IS NOT NULL AND waiting_seconds IS NOT NULL AND total_seconds IS NOT NULL "
    "AND queue_seconds IS NOT NULL";

constexpr std::string_view kUseSql =
    "SELECT finished_ms / 3600000, AVG(gpu_memory_bytes), AVG(cpu_percent) FROM run_record "
    "WHERE finished_ms >= ? AND finished_ms < ? GROUP BY finished_ms / 3600000";

struct HourUse {
  std::optional<double> gpu_bytes, cpu_percent;
};

}  // namespace

ordered_json resource_efficiency(Database& database, const TimeWindow& window) {
  return database.read([&](Sql& sql) -> ordered_json {
    auto row = sql.row(kEfficiencySql, 2, {window.from_ms, window.to_ms});
    if (!row.has_value()) return {};
    const std::optional<double> computed = row->maybe_real(), all = row->maybe_real();
    return computed && all && *all > 0 ? ordered_json(*computed / *all) : ordered_json();
  });
}

ordered_json performance_trends(Database& database, const TimeWindow& window,
                                const WindowStatistics& statistics) {
  std::map<int64_t, HourUse> uses;
  database.read([&](Sql& sql) {
    for (SqlRow& row : sql.rows(kUseSql, 3, {window.from_ms, window.to_ms})) {
      HourUse& use = uses[row.integer() * kHourMs];
      use.gpu_bytes = row.maybe_real();
      use.cpu_percent = row.maybe_real();
    }
  });
  ordered_json hours = ordered_json::array(), times = hours, rates = hours, vram = hours, cpu = hours;
  for (const HourStatistics& hour : statistics.hours()) {
    const int64_t runs = hour.counts.runs();
    const HourUse use = uses[hour.hour_ms];
    hours.push_back(hour.hour_ms);
    times.push_back(runs > 0 ? ordered_json(hour.generation_seconds / static_cast<double>(runs))
                             : ordered_json());
    rates.push_back(or_null(hour.counts.success_rate()));
    vram.push_back(use.gpu_bytes ? ordered_json(*use.gpu_bytes / (1 << 20)) : ordered_json());
    cpu.push_back(or_null(use.cpu_percent));
  }
  return {{"hours_ms", std::move(hours)},
          {"generation_times", std::move(times)},
          {"success_rates", std::move(rates)},
          {"vram_usage", std::move(vram)},
          {"cpu_usage", std::move(cpu)}};
}

}  // namespace snug
