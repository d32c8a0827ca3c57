// Turns the choice for a phase into instructions, loads and buffers of the plan. Called by planner.cc, phase
// by phase in order.
#pragma once

#include <vector>

#include "plan/plan.h"
#include "plan/planner.h"
#include "plan/search.h"

namespace snug {

// Where the outputs of a phase lie, for those that read them later.
struct PhaseOutputs {
  std::vector<Location> places;
};

// Appends the phase. `earlier`: the outputs of the phases before it. `linked_later[i]`: a later phase reads
// output i. Buffers get times, no offsets.
PhaseOutputs build_phase(Plan& plan, const PhaseRequest& request, const PhaseWay& way,
                         const PhaseFacts& facts, const PhaseChoice& choice,
                         const std::vector<PhaseOutputs>& earlier, const std::vector<bool>& linked_later);

}  // namespace snug
