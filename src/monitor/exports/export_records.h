// Run records (jobs/run_record.h) in each form of export_form.h, one after the other: a hundred thousand of
// them need no more memory than one page of record_pages.h. Called by `snug export` and by the API's export
// page, which choose where the text goes.
//
// Columns are those of record_columns(), in their order; behind them `detail` and `prompt` where they are
// asked for. Unknown is null, empty or left out, as the form has it. An export holds no prompt unless
// `with_prompts` is set.
//
//   InfluxDB       measurement snug_run; tags architecture, kind, model, state; the time is when a job ended
//   Elasticsearch  index snug-runs, the job's id as _id
//   OTLP           one trace a job (otlp_writer.h)
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "jobs/run_record.h"
#include "monitor/exports/export_form.h"

namespace snug {

struct ExportedRun {
  RunRecord record;
  std::optional<std::string> prompt;  // absent where its job is gone
};

struct RecordExportOptions {
  bool with_detail = false;
  bool with_prompts = false;
};

// Gives the next run; false at the end. Records that come in the order of their end keep their times apart in
// InfluxDB.
using RunSource = std::function<bool(ExportedRun&)>;

// Returns how many there were. Throws what source and sink do: nothing is to be kept of the text then.
int64_t export_records(ExportForm form, const RunSource& source, const RecordExportOptions& options,
                       const TextSink& sink);

}  // namespace snug
