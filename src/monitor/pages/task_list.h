// The page metrics: what became of the jobs that ended in a window, newest first, in pages. Called by
// Performance, also for `snug history` and exports.
#pragma once

#include <nlohmann/json.hpp>

#include "jobs/database.h"
#include "monitor/pages/page_query.h"

namespace snug {

// {"time_window_hours", "total", "records": [as task_json], "next_before": id or null}. `total` counts what
// the filters let through in the whole window, `before` and `limit` aside. `viewer` sees only its own. Throws
// invalid_argument, and what Database throws.
nlohmann::ordered_json task_list(Database& database, const TaskQuery& query, const Viewer& viewer,
                                 int64_t now_ms);

}  // namespace snug
