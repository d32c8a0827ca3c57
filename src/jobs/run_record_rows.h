// Run records as rows of the tables, and back. Called by JobStore inside its transactions, and by the readers
// of history in src/monitor.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/job.h"
#include "jobs/run_record.h"
#include "jobs/sql.h"

namespace snug {

// All throw what Sql does.
void insert_record(Sql& sql, const RunRecord& record);
// Every column and, where it is not empty, the detail.
void update_record(Sql& sql, const RunRecord& record);

// `where` is what follows WHERE, with ORDER and LIMIT; columns by the names of record_columns().
std::vector<RunRecord> select_records(Sql& sql, std::string_view where, const std::vector<SqlValue>& values);
// With its detail.
std::optional<RunRecord> find_record(Sql& sql, const std::string& id);

// Called where a job ends as `state`, with the job as it was before. `run`: what its run told, as made by
// run_figures.h; empty where there was none. Fills in the rest: times, queue, what was cut off. Does nothing
// for a job that is older than records.
void record_end(Sql& sql, const Job& job, JobState state, const RunRecord& run, int64_t now_ms);

}  // namespace snug
