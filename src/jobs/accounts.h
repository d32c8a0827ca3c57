// What owners have used: by day, against quotas, and lately, for the fair order. Called by the stores inside
// their transactions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "jobs/job.h"
#include "jobs/sql.h"

namespace snug {

// "2026-11-21", of UTC.
std::string day_text(int64_t now_ms);

// Until the next day of UTC, when quotas begin anew; at least 1.
int64_t seconds_to_next_day(int64_t now_ms);

void charge(Sql& sql, const std::string& owner, int64_t pictures, double seconds, int64_t bytes,
            int64_t now_ms);

// Throws quota_exceeded when `job` is more than the quotas of its owner's token leave today, with what waits
// and runs counted as asked and predicted. Bytes are known afterwards: they are refused when used up.
void check_quotas(Sql& sql, const Job& job, int64_t now_ms);

// The use of job_store.h's fair order. `seconds` may be negative.
void add_use(Sql& sql, const std::string& owner, double seconds, int64_t now_ms);
// By owner, in seconds as of `now_ms`; those without any are absent.
std::map<std::string, double> uses(Sql& sql, int64_t now_ms);

}  // namespace snug
