// What is under way: the running and the planned jobs, and the queue behind them. The page operations/active,
// and a part of status and dashboard.
#pragma once

#include <functional>
#include <vector>

#include <nlohmann/json.hpp>

#include "jobs/database.h"
#include "jobs/service.h"
#include "monitor/pages/page_query.h"

namespace snug {

// Who knows the jobs under way to the last step: the service itself. Another process does without, and sees
// what the service has written into the database, at most a second old.
struct ActiveSource {
  std::function<std::vector<Job>()> jobs = {};  // running and planned, everybody's; empty: by the database
  std::function<QueueFigures()> queue = {};     // empty: by the database
};
// Of the service in this process, which must outlive what is returned.
ActiveSource active_source(Service& service);

// {"active": [...], "queue": {...}}; `viewer` sees only its own jobs in the list.
nlohmann::ordered_json active_jobs(Database& database, const ActiveSource& source, const Viewer& viewer);

}  // namespace snug
