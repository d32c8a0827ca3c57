#include "monitor/performance_sources.h"

#include <utility>

#include "monitor/analysis/trends.h"
#include "monitor/analysis/window_bottlenecks.h"

namespace snug {

OwnSources::OwnSources(OwnSourcesParts parts) : parts_(std::move(parts)), uses_(parts_.options) {}

PerformanceSources OwnSources::sources() {
  PerformanceSources sources{.database = parts_.database};
  if (parts_.service != nullptr) sources.active = active_source(*parts_.service);
  sources.uses = &uses_;
  sources.bottlenecks = [&database = parts_.database](const TimeWindow& window) {
    return to_json(read_window_bottlenecks(database, window.from_ms, window.to_ms));
  };
  sources.trends = [&database = parts_.database](const TimeWindow& window) {
    return to_json(read_trends(database, window.from_ms, window.to_ms, {}));
  };
  return sources;
}

}  // namespace snug
