// A graph for people: one line per node, or Graphviz (`dot -Tsvg`).
#pragma once

#include <string>

#include "graph/graph.h"

namespace snug {

std::string print_text(const Graph& graph);
std::string print_graphviz(const Graph& graph);

}  // namespace snug
