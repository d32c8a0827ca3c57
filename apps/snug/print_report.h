// What a finished run is told as, for people; scripts take to_json(report).
#pragma once

#include <string>

#include "pipeline/run_report.h"

namespace snug::cli {

// Several lines: paths, settings, times, memory, notes. Each figure says whether it was measured or planned.
std::string describe_report(const RunReport& report);

}  // namespace snug::cli
