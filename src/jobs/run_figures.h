// What a run told, as the part of a RunRecord that it knows. Called by the engine at the end of each run,
// whatever the end; JobStore puts it into the records of the run's jobs.
#pragma once

#include <optional>
#include <string>

#include "jobs/machine_use.h"
#include "jobs/prepared_job.h"
#include "jobs/run_record.h"
#include "pipeline/run_report.h"

namespace snug {

// The asked part of a job's record, every field settled.
RunRecord asked_record(const PreparedJob& job);

// `use`: what the machine did meanwhile; absent where nobody measures. `keep_seconds`: what the engine did
// for the run beside generate(), measured. A run that ended by an error has the stages that it came to.
RunRecord run_figures(const RunReport& report, const std::optional<MachineUse>& use, double keep_seconds);

// "AMD EPYC 9B14, avx512": what figures of a run may be compared with.
std::string machine_name();

}  // namespace snug
