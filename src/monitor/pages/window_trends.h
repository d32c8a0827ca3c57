// The members of the page analysis that are sums over a window: how well the machine was used, and what
// happened hour by hour. Called by Performance; reads the database once, and throws what it does.
#pragma once

#include <nlohmann/json.hpp>

#include "jobs/database.h"
#include "monitor/pages/page_query.h"
#include "monitor/records/window_statistics.h"

namespace snug {

// Of the generation time of all runs to the end, the share in which kernels computed: not loading, waiting
// for weights or other runs, encoding files. Measured; null where no run told.
nlohmann::ordered_json resource_efficiency(Database& database, const TimeWindow& window);

// {"hours_ms", "generation_times", "success_rates", "vram_usage", "cpu_usage"}: one value an hour, all of the
// same length; seconds, 0..1, MiB, percent of all cores while jobs ran. Hours without jobs have null.
nlohmann::ordered_json performance_trends(Database& database, const TimeWindow& window,
                                          const WindowStatistics& statistics);

}  // namespace snug
