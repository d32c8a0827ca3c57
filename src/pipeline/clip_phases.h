// What a request for a clip runs, phase by phase: the counterpart of phase_requests.h for video models.
// Called by make_plan.cc through phase_requests().
#pragma once

#include <string>
#include <vector>

#include "pipeline/make_plan.h"
#include "plan/planner.h"

namespace snug {

std::vector<PhaseRequest> clip_phase_requests(const Request& request, const VideoModel& model,
                                              const PlannedRun& run);

// Which of the run's calls are which expert's, in their order; those without calls are absent.
std::vector<ExpertCalls> expert_calls(const VideoModel& model, const PlannedRun& run);

// The frames that the encoder sees of a given picture: itself alone, or with frames of nothing behind it.
int64_t encoded_frames(const Request& request, const VideoModel& model);

}  // namespace snug
