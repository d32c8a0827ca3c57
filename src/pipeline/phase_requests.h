// What a request runs, phase by phase, before it is known how: graphs and their links, each in the ways in
// which the batch can be cut into passes. Called by make_plan.cc.
#pragma once

#include <vector>

#include "pipeline/make_plan.h"
#include "plan/planner.h"

namespace snug {

std::vector<PhaseRequest> phase_requests(const Request& request, const ModelDescription& model,
                                         const PlannedRun& run);

}  // namespace snug
