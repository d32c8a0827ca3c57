// Sentences and evidence of findings about one run. Called by bottlenecks.cc. Pure; any thread.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "monitor/analysis/time_shares.h"

namespace snug {

// What a kind took of the whole job, in one or two sentences with numbers.
std::string describe_bottleneck(BottleneckKind kind, const RunRecord& record, const TimeShares& shares);
// What to do about it.
std::string recommend(BottleneckKind kind, const RunRecord& record, const TimeShares& shares);
// The numbers that it rests on; "sources" says where each group of them is from.
nlohmann::ordered_json evidence_of(BottleneckKind kind, const RunRecord& record, const MachinePeaks& peaks,
                                   const TimeShares& shares);

// The same for the limit that took most of a phase.
std::string describe_phase(BottleneckKind kind, const PhaseShare& part);
nlohmann::ordered_json phase_evidence(const PhaseShare& part, const MachinePeaks& peaks);

}  // namespace snug
