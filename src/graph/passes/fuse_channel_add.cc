#include "graph/passes/passes.h"
#include "graph/passes/rewriter.h"

namespace snug {
namespace {

// The add_channels node whose sum only this group_norm reads, or null.
const Node* foldable_sum(const Rewriter& rewriter, const Node& norm) {
  if (norm.op != Op::kGroupNorm || norm.inputs[3] != kNoValue || !rewriter.used_once(norm.inputs[0]))
    return nullptr;
  const Node* sum = rewriter.producer(norm.inputs[0]);
  return sum != nullptr && sum->op == Op::kAddChannels ? sum : nullptr;
}

}  // namespace

Graph fuse_channel_add(const Graph& graph) {
  Rewriter rewriter(graph);
  std::vector<bool> folded(graph.values().size(), false);
  for (const Node& node : graph.nodes()) {
    if (const Node* sum = foldable_sum(rewriter, node)) folded[static_cast<size_t>(sum->output)] = true;
  }
  for (const Node& node : graph.nodes()) {
    if (folded[static_cast<size_t>(node.output)]) continue;
    const Node* sum = foldable_sum(rewriter, node);
    if (sum == nullptr) {
      rewriter.copy(node);
      continue;
    }
    rewriter.emit(node.op, node.attrs,
                  {rewriter.map(sum->inputs[0]), rewriter.map(node.inputs[1]), rewriter.map(node.inputs[2]),
                   rewriter.map(sum->inputs[1])},
                  node.output);
  }
  return rewriter.finish();
}

}  // namespace snug
