// Records of jobs in the words of the performance API: one object a job, its members in a fixed order, which
// is also that of the columns of its CSV. Made from RunRecord (jobs/run_record.h), which has more and says
// where each figure comes from. Used by the pages metrics and export, and by `snug history`.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "jobs/run_record.h"

namespace snug {

// task_id, model_type, resolution, ... in order.
std::span<const std::string_view> task_columns();

// What is not known is null. Sizes are MiB; `model_type` is the architecture.
nlohmann::ordered_json task_json(const RunRecord& record);

// What the plan did to get along with its budget, of "split", "streamed" and "spilled"; nothing: no plan is
// known. An empty list: it needed none of them.
std::optional<std::vector<std::string_view>> measures_of(const RunRecord& record);

// Seconds of the job that were not spent waiting for its turn; nothing: it never began, or has not ended.
std::optional<double> generation_seconds(const RunRecord& record);

// RFC 4180: a header, then a line for each of `tasks` (as task_json makes them); null is empty, a list has
// spaces between its words.
std::string tasks_csv(const nlohmann::ordered_json& tasks);

}  // namespace snug
