#include "graph/passes/passes.h"
#include "graph/passes/rewriter.h"

namespace snug {
namespace {

// A sum that one of its operands' product can absorb.
struct Fusion {
  const Node* product = nullptr;
  const Node* view = nullptr;   // the image() between product and sum, if any
  ValueId residual = kNoValue;  // the sum's other operand
};

// Between the sums and the output: a residual would come too late.
bool has_epilogue(const Node& node) {
  if (const auto* conv = std::get_if<Conv2dAttrs>(&node.attrs)) return conv->activation != Activation::kNone;
  if (const auto* conv = std::get_if<Conv3dAttrs>(&node.attrs)) return conv->activation != Activation::kNone;
  const auto& linear = std::get<LinearAttrs>(node.attrs);
  return linear.gated || linear.activation != Activation::kNone;
}

bool can_absorb(const Rewriter& rewriter, const Node* node) {
  return node != nullptr && (node->op == Op::kConv2d || node->op == Op::kConv3d || node->op == Op::kLinear) &&
         rewriter.used_once(node->output) && node->inputs[3] == kNoValue && !has_epilogue(*node);
}

Fusion through(const Rewriter& rewriter, ValueId operand, ValueId other) {
  const Node* node = rewriter.producer(operand);
  if (can_absorb(rewriter, node)) return {node, nullptr, other};
  if (node != nullptr && node->op == Op::kImage && rewriter.used_once(operand)) {
    const Node* product = rewriter.producer(node->inputs[0]);
    if (can_absorb(rewriter, product)) return {product, node, other};
  }
  return {};
}

// The operand made later is preferred: its product runs next to the sum anyway, so nothing lives longer.
Fusion find_fusion(const Graph& graph, const Rewriter& rewriter, const Node& sum) {
  if (sum.op != Op::kAdd || !(graph.value(sum.inputs[0]).shape == graph.value(sum.inputs[1]).shape))
    return {};
  // Residuals are activations: kernels have no form for a weight there.
  for (const ValueId id : sum.inputs) {
    if (graph.value(id).kind == ValueKind::kWeight) return {};
  }
  ValueId later = sum.inputs[0];
  ValueId earlier = sum.inputs[1];
  if (later == earlier) return {};
  if (graph.value(later).producer < graph.value(earlier).producer) std::swap(later, earlier);
  const Fusion first = through(rewriter, later, earlier);
  return first.product != nullptr ? first : through(rewriter, earlier, later);
}

}  // namespace

Graph fuse_residual(const Graph& graph) {
  Rewriter rewriter(graph);
  std::vector<Fusion> fusion(graph.nodes().size());
  std::vector<bool> absorbed(graph.values().size(), false);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    Fusion found = find_fusion(graph, rewriter, graph.nodes()[i]);
    if (found.product == nullptr) continue;
    fusion[i] = found;
    absorbed[static_cast<size_t>(found.product->output)] = true;
    if (found.view != nullptr) absorbed[static_cast<size_t>(found.view->output)] = true;
  }
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (absorbed[static_cast<size_t>(node.output)]) continue;
    const Fusion& f = fusion[i];
    if (f.product == nullptr) {
      rewriter.copy(node);
      continue;
    }
    ValueId residual = rewriter.map(f.residual);
    if (f.view != nullptr) {
      residual = rewriter.graph().add_node(Op::kTokens, std::monostate{}, {residual},
                                           graph.value(f.residual).name + ".tokens");
    }
    std::vector<ValueId> inputs;
    for (const ValueId id : f.product->inputs) inputs.push_back(rewriter.map(id));
    inputs[3] = residual;
    if (f.view == nullptr) {
      rewriter.emit(f.product->op, f.product->attrs, std::move(inputs), node.output);
    } else {
      const ValueId made = rewriter.graph().add_node(f.product->op, f.product->attrs, std::move(inputs),
                                                     graph.value(f.product->output).name);
      rewriter.emit(f.view->op, f.view->attrs, {made}, node.output);
    }
  }
  return rewriter.finish();
}

}  // namespace snug
