#include "graph/passes/precision.h"

#include <map>

#include "base/check.h"
#include "graph/passes/rewriter.h"

namespace snug {
namespace {

// Operations that read integers or weights as values, or whose result needs F32's range of bits.
bool stays_f32(const Graph& graph, const Node& node) {
  if (node.op == Op::kEmbedding || node.op == Op::kTimestepEmbedding || node.op == Op::kCast) return true;
  if (node.op != Op::kAdd && node.op != Op::kAddChannels) return false;
  return graph.value(node.inputs[1]).kind == ValueKind::kWeight;
}

// Rows that a timestep gives, and scales and shifts with them.
bool is_time_row(const Node& node, size_t input) {
  return (node.op == Op::kModulate && input >= 1) || (node.op == Op::kGatedAdd && input >= 2);
}

// Means and deviations stay F32, whatever they were taken of.
bool is_statistics(const Graph& graph, ValueId id) {
  const NodeId producer = graph.value(id).producer;
  return producer != kNoNode && graph.node(producer).op == Op::kGroupStatistics;
}

}  // namespace

Graph set_precision(const Graph& graph, DType dtype) {
  SNUG_CHECK(dtype == DType::kF32 || dtype == DType::kBF16, "precisions that kernels compute in");
  if (dtype == DType::kF32) return graph;
  Rewriter rewriter(graph);
  std::map<std::pair<ValueId, DType>, ValueId> casts;  // of the copy
  const auto as = [&](ValueId copied, DType wanted) {
    Graph& out = rewriter.graph();
    const Value& value = out.value(copied);
    const bool floating = value.dtype == DType::kF32 || value.dtype == DType::kBF16;
    if (value.kind == ValueKind::kWeight || !floating || value.dtype == wanted) return copied;
    const auto [found, fresh] = casts.try_emplace({copied, wanted}, kNoValue);
    if (fresh) {
      const std::string name = value.name + ".cast";
      found->second = out.add_node(Op::kCast, CastAttrs{wanted}, {copied}, name);
    }
    return found->second;
  };
  const std::vector<Variability> variability = graph.variabilities();
  for (const Node& node : graph.nodes()) {
    // What depends on the timestep alone is small and feeds every block: its rounding would cost more than it
    // saves.
    const bool of_timestep = variability[static_cast<size_t>(node.output)] == Variability::kTimestep;
    const DType wanted = of_timestep || stays_f32(graph, node) ? DType::kF32 : dtype;
    std::vector<ValueId> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      const bool as_it_is = id == kNoValue || is_statistics(graph, id);
      inputs.push_back(as_it_is ? rewriter.map(id)
                                : as(rewriter.map(id), is_time_row(node, i) ? DType::kF32 : wanted));
    }
    rewriter.emit(node.op, node.attrs, std::move(inputs), node.output);
  }
  // Outputs as they were declared: one cast each, under the output's own name.
  for (const ValueId id : graph.outputs()) {
    const ValueId copied = rewriter.map(id);
    if (rewriter.graph().value(copied).dtype != graph.value(id).dtype) {
      rewriter.emit(Op::kCast, CastAttrs{graph.value(id).dtype}, {copied}, id);
    }
  }
  return rewriter.finish();
}

}  // namespace snug
