#include "graph/passes/passes.h"
#include "graph/passes/rewriter.h"

namespace snug {

Graph remove_dead_nodes(const Graph& graph) {
  std::vector<bool> needed(graph.values().size(), false);
  for (const ValueId id : graph.outputs()) needed[static_cast<size_t>(id)] = true;
  for (size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    if (!needed[static_cast<size_t>(node.output)]) continue;
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) needed[static_cast<size_t>(id)] = true;
    }
  }
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    if (needed[static_cast<size_t>(node.output)]) rewriter.copy(node);
  }
  return rewriter.finish();
}

}  // namespace snug
