#include "graph/passes/rewriter.h"

#include "base/check.h"

namespace snug {

Rewriter::Rewriter(const Graph& source)
    : source_(source),
      copy_(source.name()),
      map_(source.values().size(), kNoValue),
      uses_(source.values().size(), 0),
      is_output_(source.values().size(), false) {
  for (const ValueId id : source.inputs()) {
    const Value& value = source.value(id);
    map_[static_cast<size_t>(id)] = copy_.add_input(value.name, value.dtype, value.shape, value.variability);
  }
  for (const Node& node : source.nodes()) {
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) ++uses_[static_cast<size_t>(id)];
    }
  }
  for (const ValueId id : source.outputs()) {
    is_output_[static_cast<size_t>(id)] = true;
    ++uses_[static_cast<size_t>(id)];
  }
}

ValueId Rewriter::map(ValueId source_value) {
  if (source_value == kNoValue) return kNoValue;
  ValueId& mapped = map_[static_cast<size_t>(source_value)];
  if (mapped == kNoValue) {
    const Value& value = source_.value(source_value);
    SNUG_CHECK(value.kind == ValueKind::kWeight, "a value is copied before it is used");
    mapped = copy_.add_weight(value);
  }
  return mapped;
}

void Rewriter::copy(const Node& node) {
  std::vector<ValueId> inputs;
  inputs.reserve(node.inputs.size());
  for (const ValueId id : node.inputs) inputs.push_back(map(id));
  emit(node.op, node.attrs, std::move(inputs), node.output);
}

ValueId Rewriter::emit(Op op, Attrs attrs, std::vector<ValueId> inputs, ValueId source_value) {
  const ValueId made =
      copy_.add_node(op, std::move(attrs), std::move(inputs), source_.value(source_value).name);
  replace(source_value, made);
  return made;
}

void Rewriter::replace(ValueId source_value, ValueId copied_value) {
  map_[static_cast<size_t>(source_value)] = copied_value;
}

Graph Rewriter::finish() {
  for (const ValueId id : source_.outputs()) copy_.add_output(map(id));
  return std::move(copy_);
}

const Node* Rewriter::producer(ValueId source_value) const {
  if (source_value == kNoValue) return nullptr;
  const NodeId id = source_.value(source_value).producer;
  return id == kNoNode ? nullptr : &source_.node(id);
}

}  // namespace snug
