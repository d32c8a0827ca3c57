// A graph of operations on values with static shapes, in the order in which they run.
//
// Models build graphs through GraphBuilder (builder.h); passes/ rewrite them; plan/ lays them out in memory;
// runtime/ runs them. A graph is plain data: copyable, comparable by its printed text, holding no bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graph/op.h"

namespace snug {

using ValueId = int32_t;
using NodeId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an optional input that is left out
inline constexpr NodeId kNoNode = -1;

enum class ValueKind : uint8_t { kInput, kWeight, kComputed };

// What a value may depend on; the basis of hoisting. Weights and the conditioning are fixed for a request,
// the timestep changes with every call, the latents with everything.
enum class Variability : uint8_t { kRequest, kTimestep, kLatents };

struct Value {
  std::string name;  // of a weight: its name in the checkpoint; of others: the module that makes it
  DType dtype = DType::kF32;
  Shape shape;
  ValueKind kind = ValueKind::kComputed;
  Variability variability = Variability::kRequest;  // of inputs; computed ones follow from theirs
  NodeId producer = kNoNode;
  // Of a weight: where its rows begin in the checkpoint's tensor of that name, which may have others before
  // and behind them. Weights of one name are the same where both these and their shapes are.
  int64_t first_row = 0;
  int64_t bytes() const { return bytes_of(dtype, shape.elements()); }
};

struct Node {
  Op op = Op::kAdd;
  Attrs attrs;
  std::vector<ValueId> inputs;  // kNoValue where an optional one is left out
  ValueId output = kNoValue;
};

class Graph {
 public:
  explicit Graph(std::string name = {}) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  const std::vector<Value>& values() const { return values_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }

  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  Value& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }

  ValueId add_input(std::string name, DType dtype, Shape shape, Variability variability);
  // `shape`: of the rows from `first_row` on that it is of the tensor.
  ValueId add_weight(std::string name, DType dtype, Shape shape, int64_t first_row = 0);
  // A weight of another graph, as it is there.
  ValueId add_weight(const Value& weight);
  // Infers the output's shape and element type. Throws shape_mismatch (with the node's name) when the
  // operands do not fit.
  ValueId add_node(Op op, Attrs attrs, std::vector<ValueId> inputs, std::string name);
  void add_output(ValueId id) { outputs_.push_back(id); }
  // Who runs the graph takes its one output part by part, in the order of its pixels, as it is made: nobody
  // needs all of it at once.
  void set_streamed(bool streamed) { streamed_ = streamed; }
  bool is_streamed() const { return streamed_; }

  // The value with this name, or kNoValue; the last one made where several share it.
  ValueId find(std::string_view name) const;
  // The operands of a node as its rules see them.
  std::vector<Operand> operands(const Node& node) const;
  Operand operand(ValueId id) const;
  // Latest thing that each value depends on, by value id.
  std::vector<Variability> variabilities() const;
  Cost cost(const Node& node) const;

 private:
  std::string name_;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<ValueId> inputs_;
  std::vector<ValueId> outputs_;
  bool streamed_ = false;
};

}  // namespace snug
