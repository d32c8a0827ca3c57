// The rewrites that every graph goes through before planning, one file each, and the runner. A pass takes a
// sound graph and gives an equal one (same inputs, outputs and values up to rounding) that is cheaper to run.
// The list is visible in run_passes.cc.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace snug {

// Nodes whose results nothing uses are dropped.
Graph remove_dead_nodes(const Graph& graph);
// Equal nodes on equal operands are computed once.
Graph share_common_subexpressions(const Graph& graph);
// group_norm(add_channels(x, t)) becomes one group_norm: the sum is never stored.
Graph fuse_channel_add(const Graph& graph);
// add(conv2d or linear, y) becomes the product with a residual, also through the views between pictures and
// tokens.
Graph fuse_residual(const Graph& graph);
// activation(conv2d, linear or group_norm) becomes that node's epilogue.
Graph fuse_activation(const Graph& graph);
// group_norm becomes group_statistics and group_norm_apply, either of which can be computed in parts.
Graph split_group_norm(const Graph& graph);

struct Pass {
  std::string_view name;
  Graph (*run)(const Graph&);
};
std::span<const Pass> pass_list();

struct PassRecord {
  std::string_view name;
  size_t nodes_before = 0, nodes_after = 0;
  double seconds = 0;
};

// Runs the list in order; with `verify` (default in debug builds) checks the graph after each pass.
#ifdef NDEBUG
inline constexpr bool kVerifyByDefault = false;
#else
inline constexpr bool kVerifyByDefault = true;
#endif
Graph run_passes(Graph graph, bool verify = kVerifyByDefault, std::vector<PassRecord>* records = nullptr);

}  // namespace snug
