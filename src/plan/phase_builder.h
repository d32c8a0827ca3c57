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

// A phase in one way, as it is to be built.
struct PhaseDesign {
  const PhaseRequest& request;
  const PhaseWay& way;
  const PhaseFacts& facts;
  const std::vector<Segment>& segments;
  const PhaseChoice& choice;
  const Rates& rates;
};

// Appends the phase. `earlier`: the outputs of the phases before it. `linked_later[i]`: a later phase reads
// output i. Buffers get times, no offsets. In brief, the phase has neither graph nor instructions nor loads,
// but the same buffers, measures and times; `next_instruction` is the number of the first in plan time, and
// then of the next phase's.
PhaseOutputs build_phase(Plan& plan, const PhaseDesign& design, PlanDetail detail, int& next_instruction,
                         const std::vector<PhaseOutputs>& earlier, const std::vector<bool>& linked_later);

}  // namespace snug
