#include "graph/verify.h"

#include <vector>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

std::string node_fault(const Graph& graph, NodeId id, const std::vector<bool>& made) {
  const Node& node = graph.node(id);
  for (const ValueId input : node.inputs) {
    if (input == kNoValue) continue;
    if (input < 0 || static_cast<size_t>(input) >= made.size())
      return fmt::format("node {} uses value {}", id, input);
    if (!made[static_cast<size_t>(input)]) {
      return fmt::format("node {} uses '{}' before it is made", id, graph.value(input).name);
    }
  }
  const Value& out = graph.value(node.output);
  if (out.kind != ValueKind::kComputed || out.producer != id) {
    return fmt::format("value '{}' does not name node {} as its maker", out.name, id);
  }
  try {
    const Operand inferred = op_info(node.op).infer(node.attrs, graph.operands(node));
    if (!(inferred.shape == out.shape) || inferred.dtype != out.dtype) {
      return fmt::format("'{}' is {} {} but its operation gives {} {}", out.name, dtype_info(out.dtype).name,
                         out.shape.text(), dtype_info(inferred.dtype).name, inferred.shape.text());
    }
  } catch (const Error& error) {
    return fmt::format("'{}': {}", out.name, error.what());
  }
  return {};
}

}  // namespace

std::string find_fault(const Graph& graph) {
  std::vector<bool> made(graph.values().size(), false);
  for (size_t i = 0; i < graph.values().size(); ++i) made[i] = graph.values()[i].kind != ValueKind::kComputed;
  for (const Value& value : graph.values()) {
    if (value.first_row < 0 || (value.first_row > 0 && value.kind != ValueKind::kWeight)) {
      return fmt::format("'{}' begins at row {}", value.name, value.first_row);
    }
  }
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const auto id = static_cast<NodeId>(i);
    std::string fault = node_fault(graph, id, made);
    if (!fault.empty()) return fault;
    const auto output = static_cast<size_t>(graph.node(id).output);
    if (made[output]) return fmt::format("'{}' is made twice", graph.value(graph.node(id).output).name);
    made[output] = true;
  }
  for (const ValueId id : graph.outputs()) {
    if (id < 0 || static_cast<size_t>(id) >= made.size() || !made[static_cast<size_t>(id)]) {
      return fmt::format("output {} is never made", id);
    }
  }
  return {};
}

}  // namespace snug
