#include "monitor/performance_sources.h"

#include <utility>

namespace snug {

OwnSources::OwnSources(OwnSourcesParts parts) : parts_(std::move(parts)), uses_(parts_.options) {}

PerformanceSources OwnSources::sources() {
  PerformanceSources sources{.database = parts_.database};
  if (parts_.service != nullptr) sources.active = active_source(*parts_.service);
  sources.uses = &uses_;
  return sources;
}

}  // namespace snug
