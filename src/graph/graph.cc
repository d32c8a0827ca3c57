#include "graph/graph.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"

namespace snug {

ValueId Graph::add_input(std::string name, DType dtype, Shape shape, Variability variability) {
  values_.push_back({std::move(name), dtype, shape, ValueKind::kInput, variability, kNoNode});
  const auto id = static_cast<ValueId>(values_.size() - 1);
  inputs_.push_back(id);
  return id;
}

ValueId Graph::add_weight(std::string name, DType dtype, Shape shape, int64_t first_row) {
  return add_weight(
      {std::move(name), dtype, shape, ValueKind::kWeight, Variability::kRequest, kNoNode, first_row});
}

ValueId Graph::add_weight(const Value& weight) {
  SNUG_CHECK(weight.kind == ValueKind::kWeight, "a weight");
  values_.push_back(weight);
  return static_cast<ValueId>(values_.size() - 1);
}

ValueId Graph::add_node(Op op, Attrs attrs, std::vector<ValueId> inputs, std::string name) {
  Node node{op, std::move(attrs), std::move(inputs), static_cast<ValueId>(values_.size())};
  Operand output;
  try {
    output = op_info(op).infer(node.attrs, operands(node));
  } catch (Error& error) {
    error.in_tensor(name);
    throw;
  }
  values_.push_back({std::move(name), output.dtype, output.shape, ValueKind::kComputed, Variability::kRequest,
                     static_cast<NodeId>(nodes_.size())});
  nodes_.push_back(std::move(node));
  return nodes_.back().output;
}

ValueId Graph::find(std::string_view name) const {
  for (size_t i = values_.size(); i-- > 0;) {
    if (values_[i].name == name) return static_cast<ValueId>(i);
  }
  return kNoValue;
}

Operand Graph::operand(ValueId id) const {
  if (id == kNoValue) return {DType::kF32, Shape{}, false, false};
  SNUG_CHECK(id >= 0 && static_cast<size_t>(id) < values_.size(), "the value exists");
  const Value& v = value(id);
  return {v.dtype, v.shape, true, v.kind == ValueKind::kWeight};
}

std::vector<Operand> Graph::operands(const Node& node) const {
  std::vector<Operand> result;
  result.reserve(node.inputs.size());
  for (const ValueId id : node.inputs) result.push_back(operand(id));
  return result;
}

std::vector<Variability> Graph::variabilities() const {
  std::vector<Variability> result(values_.size(), Variability::kRequest);
  for (const ValueId id : inputs_) result[static_cast<size_t>(id)] = value(id).variability;
  for (const Node& n : nodes_) {
    Variability& out = result[static_cast<size_t>(n.output)];
    for (const ValueId id : n.inputs) {
      if (id != kNoValue) out = std::max(out, result[static_cast<size_t>(id)]);
    }
  }
  return result;
}

Cost Graph::cost(const Node& node) const {
  return op_cost(node.op, node.attrs, operands(node), operand(node.output));
}

}  // namespace snug
