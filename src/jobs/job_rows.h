// Jobs as rows of the tables, and back. Called by job_store.cc and its siblings, inside their transactions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/job.h"
#include "jobs/sql.h"

namespace snug {

// `prompt` goes into the column that is searched. Throws what Sql does.
void insert_job(Sql& sql, const Job& job, const std::string& prompt);
void insert_pictures(Sql& sql, const std::string& job, const std::vector<JobPicture>& pictures);

// With their pictures. `where` is what follows WHERE, with ORDER and LIMIT.
std::vector<Job> select_jobs(Sql& sql, std::string_view where, const std::vector<SqlValue>& values);
std::optional<Job> find_job(Sql& sql, const std::string& id);
// Throws not_found.
Job require_job(Sql& sql, const std::string& id);

// The JSON of the column `error`, and back.
std::string failure_json(const JobFailure& failure);

// Of a job whose deadline passed before it began.
JobFailure deadline_failure();

// For the column `prompt` and for what is looked up in it: lower case of ASCII letters, zero bytes as spaces.
std::string searchable(std::string_view text);

std::string format_column(PictureFormat format);
// Throws store_error for a name that format_column does not give.
PictureFormat format_of_column(std::string_view name);

}  // namespace snug
