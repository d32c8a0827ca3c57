#include "graph/passes/passes.h"
#include "graph/passes/rewriter.h"

namespace snug {
namespace {

// Where a node keeps its epilogue's activation, or null for nodes without one. A gated linear's is the
// gate's.
Activation* epilogue(Op op, Attrs& attrs) {
  switch (op) {
    case Op::kConv2d: return &std::get<Conv2dAttrs>(attrs).activation;
    case Op::kConv3d: return &std::get<Conv3dAttrs>(attrs).activation;
    case Op::kLinear: {
      auto& linear = std::get<LinearAttrs>(attrs);
      return linear.gated ? nullptr : &linear.activation;
    }
    case Op::kGroupNorm: return &std::get<GroupNormAttrs>(attrs).activation;
    default: return nullptr;
  }
}

// The node that can take this activation as its epilogue, or null.
const Node* host_of(const Rewriter& rewriter, const Node& node) {
  if (node.op != Op::kActivation || !rewriter.used_once(node.inputs[0])) return nullptr;
  const Node* host = rewriter.producer(node.inputs[0]);
  if (host == nullptr) return nullptr;
  Attrs attrs = host->attrs;
  const Activation* present = epilogue(host->op, attrs);
  return present != nullptr && *present == Activation::kNone ? host : nullptr;
}

}  // namespace

Graph fuse_activation(const Graph& graph) {
  Rewriter rewriter(graph);
  std::vector<const Node*> follower(graph.values().size(), nullptr);  // by the host's output
  for (const Node& node : graph.nodes()) {
    if (const Node* host = host_of(rewriter, node)) follower[static_cast<size_t>(host->output)] = &node;
  }
  for (const Node& node : graph.nodes()) {
    if (host_of(rewriter, node) != nullptr) continue;  // already emitted with its host
    const Node* activation = follower[static_cast<size_t>(node.output)];
    if (activation == nullptr) {
      rewriter.copy(node);
      continue;
    }
    Attrs attrs = node.attrs;
    *epilogue(node.op, attrs) = std::get<ActivationAttrs>(activation->attrs).activation;
    std::vector<ValueId> inputs;
    for (const ValueId id : node.inputs) inputs.push_back(rewriter.map(id));
    rewriter.emit(node.op, std::move(attrs), std::move(inputs), activation->output);
  }
  return rewriter.finish();
}

}  // namespace snug
