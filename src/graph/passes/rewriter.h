// Copies a graph node by node while a pass changes some of them. Values keep their names; inputs keep their
// order, used or not; weights and nodes that nothing needs are left behind.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace snug {

class Rewriter {
 public:
  explicit Rewriter(const Graph& source);

  // The copy of a source value; weights are copied when first asked for. SNUG_CHECK that it has been made.
  ValueId map(ValueId source_value);
  // Copies the node as it is, with its inputs mapped.
  void copy(const Node& node);
  // Adds a node to the copy in place of whatever made `source_value`. `inputs` are values of the copy.
  ValueId emit(Op op, Attrs attrs, std::vector<ValueId> inputs, ValueId source_value);
  // From now on `source_value` means `copied_value`.
  void replace(ValueId source_value, ValueId copied_value);

  Graph& graph() { return copy_; }
  // The copy with the source's outputs.
  Graph finish();

  // How many nodes and outputs use each source value.
  int uses(ValueId source_value) const { return uses_[static_cast<size_t>(source_value)]; }
  bool is_output(ValueId source_value) const { return is_output_[static_cast<size_t>(source_value)]; }
  // True when one node and no output uses it: it may be folded into that node.
  bool used_once(ValueId v) const { return uses(v) == 1 && !is_output(v); }
  // The node that makes a source value, or null.
  const Node* producer(ValueId source_value) const;

 private:
  const Graph& source_;
  Graph copy_;
  std::vector<ValueId> map_;
  std::vector<int> uses_;
  std::vector<bool> is_output_;
};

}  // namespace snug
