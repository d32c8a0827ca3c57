// What the planner knows of one way of a phase before it decides anything: the nodes that run, in order, each
// with its kernel and its costs; and the values, seen through views, each with who makes and who reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "graph/node_spec.h"
#include "plan/kernel_source.h"
#include "plan/rates.h"

namespace snug {

// Which rate bounds it.
WorkKind work_kind(Op op);

// Bytes of a node's operands, each counted once: the least that it moves. Of an embedding's table only the
// rows that are looked up are read, not all of it.
double nominal_bytes(const Graph& graph, const Node& node);

// A weight as a node reads it.
struct NodeWeight {
  size_t input = 0;  // of the node
  ValueId value = kNoValue;
  DType dtype = DType::kF32;  // in memory
  uint64_t packing = 0;       // how it is rearranged (Kernel::weight_packing), and a kernel that does it
  int kernel = -1;
  int64_t rows = 1, row_elements = 1;  // rows: by which it can be cut
  bool is_vector = false;
  uint64_t bytes = 0;  // in memory
};

// A node that runs (views do not).
struct NodeFacts {
  NodeId id = kNoNode;
  NodeSpec spec;
  const KernelFacts* kernel = nullptr;
  std::vector<ValueId> inputs;  // as the graph has them; kNoValue for absent ones
  std::vector<NodeWeight> weights;
  ValueId output = kNoValue;
  Region whole;                 // of the output
  int64_t pixel_step = 1;       // parts begin and end at its multiples
  double flops = 0, bytes = 0;  // nominal
  double activation_bytes = 0;  // of the inputs that are not weights
  double weight_elements = 0;   // that the kernel turns into its own form in each run
  uint64_t weight_bytes = 0;    // of all its weights, in memory
  WorkKind kind = WorkKind::kMemory;
};

// A value that has memory of its own: not a weight, and not a view of another.
struct ValueFacts {
  uint64_t bytes = 0;        // of a whole pass
  uint64_t pixel_bytes = 0;  // of one pixel of one image
  Region whole;
  int producer = -1;         // position in PhaseFacts::nodes; -1: an input of the phase
  std::vector<int> readers;  // positions, rising, each once
  bool is_output = false;    // of the phase
  bool is_streamed = false;  // an output that is taken part by part (Graph::is_streamed)

  int last_reader() const { return readers.empty() ? producer : readers.back(); }
};

struct PhaseFacts {
  const Graph* graph = nullptr;
  std::vector<NodeFacts> nodes;    // in the order in which they will run
  std::vector<ValueId> root;       // by value: whose memory it is
  std::vector<ValueFacts> values;  // by value; of roots
  uint64_t packing_bytes = 0;      // of room to rearrange weights in as they come; aligned

  const ValueFacts& value_of(ValueId id) const {
    return values[static_cast<size_t>(root[static_cast<size_t>(id)])];
  }
  bool is_weight(ValueId id) const { return graph->value(id).kind == ValueKind::kWeight; }
  // Input `input` of a node is an activation that is there.
  bool is_activation(const NodeFacts& node, size_t input) const {
    return node.inputs[input] != kNoValue && !is_weight(node.inputs[input]);
  }
};

// Asks for a kernel for each node. The facts refer to `graph` and to `kernels`.
PhaseFacts gather_facts(const Graph& graph, KernelSource& kernels);

}  // namespace snug
