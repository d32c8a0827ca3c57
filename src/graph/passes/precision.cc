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

// Values that follow from times alone, of whatever kind: the step's, or one that the whole request has (a
// given frame's). They are small and feed every block: their rounding would cost more than it saves.
std::vector<bool> values_of_times(const Graph& graph) {
  const std::vector<Variability> variability = graph.variabilities();
  std::vector<bool> of_times(graph.values().size(), false);
  for (const Node& node : graph.nodes()) {
    bool any = false, all = true;
    for (const ValueId id : node.inputs) {
      if (id == kNoValue || graph.value(id).kind == ValueKind::kWeight) continue;
      const bool of_time = of_times[static_cast<size_t>(id)];
      any = any || of_time;
      all = all && of_time;
    }
    const auto output = static_cast<size_t>(node.output);
    of_times[output] =
        node.op == Op::kTimestepEmbedding || (any && all) || variability[output] == Variability::kTimestep;
  }
  return of_times;
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
  const std::vector<bool> of_times = values_of_times(graph);
  for (const Node& node : graph.nodes()) {
    const bool keeps_f32 = of_times[static_cast<size_t>(node.output)] || stays_f32(graph, node);
    const DType wanted = keeps_f32 ? DType::kF32 : dtype;
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
