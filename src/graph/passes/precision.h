// Sets the element type in which a graph computes. Inputs and outputs keep theirs: casts stand at the
// borders, and round what an operation needs in F32 (embeddings, the timestep's sinusoids).
#pragma once

#include "graph/graph.h"

namespace snug {

// `dtype`: kF32 (the graph unchanged) or kBF16.
Graph set_precision(const Graph& graph, DType dtype);

}  // namespace snug
