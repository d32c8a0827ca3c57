// Checks that a graph keeps its own rules: values are made before they are used, each once; inferred shapes
// are the recorded ones; outputs exist. Run after every pass in tests and debug builds.
#pragma once

#include <string>

#include "graph/graph.h"

namespace snug {

// Empty when the graph is sound, otherwise the first thing that is wrong, naming the value.
std::string find_fault(const Graph& graph);

}  // namespace snug
