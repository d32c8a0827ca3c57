// The step of a model whose hoisted parts run before it, as one way of its phase. Called by phase_requests.cc
// and clip_phases.cc.
#pragma once

#include <utility>

#include "graph/passes/hoist.h"
#include "plan/planner.h"

namespace snug {

// Takes parts.step. `timesteps_at`: index of the phase that runs parts.timesteps, which is absent where that
// graph has no nodes; the phase of parts.request follows it, or has its place.
inline PhaseWay step_way(HoistedGraphs& parts, int passes, int timesteps_at) {
  const int prepare_at = timesteps_at + (parts.timesteps.nodes().empty() ? 0 : 1);
  PhaseWay way{passes, std::move(parts.step), {}};
  for (const HoistedInput& hoisted : parts.hoisted) {
    way.links.push_back({hoisted.step_input, hoisted.from_timesteps ? timesteps_at : prepare_at,
                         hoisted.output_index, hoisted.from_timesteps});
  }
  return way;
}

}  // namespace snug
