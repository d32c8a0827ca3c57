#include "graph/passes/passes.h"
#include "graph/passes/rewriter.h"

namespace snug {

Graph split_group_norm(const Graph& graph) {
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::kGroupNorm) {
      rewriter.copy(node);
      continue;
    }
    const auto& attrs = std::get<GroupNormAttrs>(node.attrs);
    const ValueId x = rewriter.map(node.inputs[0]), channel_add = rewriter.map(node.inputs[3]);
    const ValueId statistics =
        rewriter.graph().add_node(Op::kGroupStatistics, GroupStatisticsAttrs{attrs.groups}, {x, channel_add},
                                  graph.value(node.output).name + ".statistics");
    rewriter.emit(Op::kGroupNormApply, attrs,
                  {x, statistics, rewriter.map(node.inputs[1]), rewriter.map(node.inputs[2]), channel_add},
                  node.output);
  }
  return rewriter.finish();
}

}  // namespace snug
