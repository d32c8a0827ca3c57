// Hoisting: splits the graph of one model call into what runs once a request, what depends on the timestep
// alone (run once for all calls, as rows of one batch), and what has to run at every call.
//
// Text keys and values depend on the conditioning only; the timestep's embedding and every ResNet block's
// projection of it on the timestep only. What mixes both, or depends on the timestep in a way that is not row
// by row, stays in the step.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace snug {

// A value of the step graph that another graph makes.
struct HoistedInput {
  ValueId step_input = kNoValue;  // in `step`
  bool from_timesteps = false;    // made by `timesteps` (row `call` of it), else by `request`
  size_t output_index = 0;        // into outputs() of the graph that makes it
};

struct HoistedGraphs {
  Graph request;    // inputs: those of the source that it uses
  Graph timesteps;  // input "timestep" F32 [calls]
  Graph step;
  std::vector<HoistedInput> hoisted;
};

// `calls`: how often the step will run, at least 1.
HoistedGraphs hoist(const Graph& graph, int64_t calls);

}  // namespace snug
