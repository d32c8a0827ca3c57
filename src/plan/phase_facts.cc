#include "plan/phase_facts.h"

#include <algorithm>

#include "base/scoped_timer.h"
#include "plan/plan.h"

namespace snug {

WorkKind work_kind(Op op) {
  switch (op) {
    case Op::kConv2d:
    case Op::kConv3d: return WorkKind::kConvolution;
    case Op::kLinear: return WorkKind::kProduct;
    case Op::kAttention: return WorkKind::kAttention;
    default: return WorkKind::kMemory;
  }
}

double nominal_bytes(const Graph& graph, const Node& node) {
  if (node.op != Op::kEmbedding) return graph.cost(node).bytes;
  return 2 * static_cast<double>(graph.value(node.output).bytes());
}

namespace {

void add_weight(const Graph& graph, size_t input, NodeFacts& facts) {
  const Value& value = graph.value(facts.inputs[input]);
  NodeWeight weight;
  weight.input = input;
  weight.value = facts.inputs[input];
  weight.dtype = facts.kernel->weight_dtypes[input];
  weight.packing = facts.kernel->weight_packings[input];
  weight.kernel = facts.kernel->kernel;
  weight.rows = std::max<int64_t>(1, whole_rows(value.shape).channels.size());
  weight.row_elements = value.shape.elements() / weight.rows;
  weight.is_vector = facts.spec.operands[input].shape.rank() <= 1;
  weight.bytes = static_cast<uint64_t>(bytes_of(weight.dtype, value.shape.elements()));
  facts.weight_bytes += weight.bytes;
  facts.weights.push_back(weight);
}

NodeFacts facts_of(const Graph& graph, NodeId id, KernelSource& kernels) {
  const Node& node = graph.node(id);
  NodeFacts facts;
  facts.id = id;
  facts.spec = {node.op, node.attrs, graph.operands(node), graph.operand(node.output)};
  facts.kernel = &kernels.choose(facts.spec);
  facts.inputs = node.inputs;
  facts.output = node.output;
  facts.whole = whole_region(facts.spec.output.shape);
  facts.pixel_step = pixel_step(node.op, node.attrs, facts.spec.operands, facts.spec.output);
  facts.pixel_step = std::min(facts.pixel_step * facts.kernel->pixel_multiple, facts.whole.pixels.size());
  facts.flops = graph.cost(node).flops;
  facts.bytes = nominal_bytes(graph, node);
  facts.kind = work_kind(node.op);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const Operand& operand = facts.spec.operands[i];
    if (!operand.is_weight) {
      facts.activation_bytes += static_cast<double>(bytes_of(operand.dtype, operand.shape.elements()));
      continue;
    }
    add_weight(graph, i, facts);
    if (facts.kind != WorkKind::kMemory) {
      facts.weight_elements += static_cast<double>(operand.shape.elements());
    }
  }
  return facts;
}

// Only what a single later node reads, from values that others read in between anyway, can move without
// making anything live longer.
bool may_sink(const PhaseFacts& facts, int position, int reader) {
  const NodeFacts& node = facts.nodes[static_cast<size_t>(position)];
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!facts.is_activation(node, i)) continue;
    const std::vector<int>& readers = facts.value_of(node.inputs[i]).readers;
    const bool read_between = std::any_of(readers.begin(), readers.end(),
                                          [&](int other) { return other > position && other <= reader; });
    if (!read_between) return false;
  }
  return true;
}

void note_uses(PhaseFacts& facts) {
  for (ValueFacts& value : facts.values) value.readers.clear();
  for (size_t i = 0; i < facts.nodes.size(); ++i) {
    const NodeFacts& node = facts.nodes[i];
    for (size_t input = 0; input < node.inputs.size(); ++input) {
      if (!facts.is_activation(node, input)) continue;
      const auto root = static_cast<size_t>(facts.root[static_cast<size_t>(node.inputs[input])]);
      std::vector<int>& readers = facts.values[root].readers;
      if (readers.empty() || readers.back() != static_cast<int>(i)) readers.push_back(static_cast<int>(i));
    }
    facts.values[static_cast<size_t>(node.output)].producer = static_cast<int>(i);
  }
}

// Moves a node to just before its only reader: queries come after keys and values then, and can be made band
// by band with the attention that reads them.
void sink_nodes(PhaseFacts& facts) {
  for (int i = static_cast<int>(facts.nodes.size()) - 1; i >= 0; --i) {
    const ValueFacts& made = facts.value_of(facts.nodes[static_cast<size_t>(i)].output);
    if (made.is_output || made.readers.size() != 1) continue;
    const int reader = made.readers.front();
    if (reader <= i + 1 || !may_sink(facts, i, reader)) continue;
    std::rotate(facts.nodes.begin() + i, facts.nodes.begin() + i + 1, facts.nodes.begin() + reader);
    note_uses(facts);
  }
}

}  // namespace

PhaseFacts gather_facts(const Graph& graph, KernelSource& kernels) {
  const ScopedTimer timer("choose kernels");
  PhaseFacts facts;
  facts.graph = &graph;
  const size_t count = graph.values().size();
  facts.root.resize(count);
  facts.values.resize(count);
  for (size_t i = 0; i < count; ++i) facts.root[i] = static_cast<ValueId>(i);
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (op_info(node.op).is_view) {
      facts.root[static_cast<size_t>(node.output)] = facts.root[static_cast<size_t>(node.inputs[0])];
    } else {
      facts.nodes.push_back(facts_of(graph, static_cast<NodeId>(i), kernels));
      const uint64_t room = facts.nodes.back().kernel->packing_bytes;
      facts.packing_bytes =
          std::max(facts.packing_bytes, (room + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const Value& value = graph.values()[i];
    ValueFacts& own = facts.values[i];
    own.whole = whole_region(value.shape);
    own.bytes = static_cast<uint64_t>(value.bytes());
    own.pixel_bytes = static_cast<uint64_t>(bytes_of(value.dtype, own.whole.channels.size()));
  }
  for (const ValueId id : graph.outputs()) {
    ValueFacts& output = facts.values[static_cast<size_t>(facts.root[static_cast<size_t>(id)])];
    output.is_output = true;
    output.is_streamed = graph.is_streamed();
  }
  note_uses(facts);
  sink_nodes(facts);
  return facts;
}

}  // namespace snug
