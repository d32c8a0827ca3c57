// What a finished run is told as, for people; scripts take to_json(report).
#pragma once

#include <string>

#include "pipeline/fit_time.h"
#include "pipeline/run_report.h"

namespace snug::cli {

// "15 steps at 512x512: about 21 s, at most 27 s by the errors of 12 past runs".
std::string describe_promise(const TimeChoice& choice);

// Several lines: paths, settings, times, memory, notes. Each figure says whether it was measured or planned.
std::string describe_report(const RunReport& report);

}  // namespace snug::cli
