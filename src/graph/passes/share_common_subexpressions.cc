#include <string>
#include <unordered_map>

#include <fmt/format.h>

#include "graph/node_spec.h"
#include "graph/passes/passes.h"
#include "graph/passes/rewriter.h"

namespace snug {

Graph share_common_subexpressions(const Graph& graph) {
  Rewriter rewriter(graph);
  std::unordered_map<std::string, ValueId> seen;     // by operation and operands, in the copy
  std::unordered_map<std::string, ValueId> weights;  // one value for the same rows of a tensor
  for (const Node& node : graph.nodes()) {
    std::string key = NodeSpec{node.op, node.attrs, {}, graph.operand(node.output)}.key();
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && graph.value(id).kind == ValueKind::kWeight) {
        const Value& value = graph.value(id);
        const auto [found, fresh] =
            weights.try_emplace(fmt::format("{} {} {}", value.name, value.first_row, value.shape.text()), id);
        if (!fresh) rewriter.replace(id, rewriter.map(found->second));
      }
      key += fmt::format(" {}", rewriter.map(id));
    }
    const auto [found, fresh] = seen.try_emplace(std::move(key), kNoValue);
    // A graph's outputs stay values of their own, so that each keeps its name and storage.
    if (fresh || rewriter.is_output(node.output)) {
      rewriter.copy(node);
      if (fresh) found->second = rewriter.map(node.output);
    } else {
      rewriter.replace(node.output, found->second);
    }
  }
  return rewriter.finish();
}

}  // namespace snug
