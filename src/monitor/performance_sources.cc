#include "monitor/performance_sources.h"

#include <utility>

#include "monitor/analysis/trends.h"
#include "monitor/analysis/window_bottlenecks.h"
#include "monitor/pages/sample_pages.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// A service that watches has written samples since then.
constexpr int64_t kWatchedMs = 5 * 60'000;
constexpr int64_t kAlertEvents = 200;

}  // namespace

OwnSources::OwnSources(OwnSourcesParts parts)
    : parts_(std::move(parts)), uses_(parts_.options), samples_(parts_.database), alerts_(parts_.database) {}

ResourceReading OwnSources::reading() const {
  ResourceReading now{.sample = parts_.sampler->latest(), .reasons = parts_.sampler->reasons(), .absent = {}};
  if (!now.sample.has_value()) now.absent = "the first sample has not been taken yet";
  return now;
}

ordered_json OwnSources::history(int64_t from_ms, int64_t to_ms, int64_t most_points) {
  HistoryQuery query;
  query.from_ms = from_ms;
  query.to_ms = to_ms;
  query.most_points = most_points;
  return sample_history_json(samples_.history(query));
}

std::optional<std::vector<ActiveAlert>> OwnSources::active_alerts() {
  if (parts_.alerts != nullptr) return parts_.alerts->active();
  HistoryQuery lately;
  lately.to_ms = parts_.database.now_ms() + 1;
  lately.from_ms = lately.to_ms - kWatchedMs;
  lately.fields = {SampleField::kCpuPercent};
  if (samples_.history(lately).points.empty()) return std::nullopt;
  return alerts_.active();
}

std::vector<AlertEvent> OwnSources::alert_events() {
  return parts_.alerts != nullptr ? parts_.alerts->recent() : alerts_.events(kAlertEvents);
}

PerformanceSources OwnSources::sources() {
  PerformanceSources sources{.database = parts_.database};
  if (parts_.service != nullptr) sources.active = active_source(*parts_.service);
  if (parts_.sampler != nullptr) sources.resources = [this] { return reading(); };
  sources.uses = &uses_;
  sources.history = [this](int64_t from_ms, int64_t to_ms, int64_t most_points) {
    return history(from_ms, to_ms, most_points);
  };
  sources.status_word = [this]() -> ordered_json {
    const auto active = active_alerts();
    return active ? status_word_json(*active, alert_events()) : ordered_json();
  };
  sources.alerts = [this]() -> ordered_json {
    const auto active = active_alerts();
    return active ? alerts_json(*active, alert_events()) : ordered_json::array();
  };
  sources.bottlenecks = [this](const TimeWindow& window) {
    return to_json(read_window_bottlenecks(parts_.database, window.from_ms, window.to_ms));
  };
  sources.trends = [this](const TimeWindow& window) {
    return to_json(read_trends(parts_.database, window.from_ms, window.to_ms,
                               machine_history(samples_, window.from_ms, window.to_ms)));
  };
  return sources;
}

}  // namespace snug
