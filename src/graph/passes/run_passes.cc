#include <array>

#include "base/check.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "graph/passes/passes.h"
#include "graph/verify.h"

namespace snug {

std::span<const Pass> pass_list() {
  // Residuals before activations: an epilogue computes activation(product + residual), in that order. Norms
  // are split last: channel sums and activations are folded into whole ones.
  static constexpr std::array kPasses = {
      Pass{"remove_dead_nodes", remove_dead_nodes},
      Pass{"share_common_subexpressions", share_common_subexpressions},
      Pass{"fuse_channel_add", fuse_channel_add},
      Pass{"fuse_residual", fuse_residual},
      Pass{"fuse_activation", fuse_activation},
      Pass{"split_group_norm", split_group_norm},
  };
  return kPasses;
}

Graph run_passes(Graph graph, bool verify, std::vector<PassRecord>* records) {
  for (const Pass& pass : pass_list()) {
    const Stopwatch watch;
    const size_t before = graph.nodes().size();
    graph = pass.run(graph);
    if (records != nullptr) records->push_back({pass.name, before, graph.nodes().size(), watch.seconds()});
    if (verify) {
      const std::string fault = find_fault(graph);
      if (!fault.empty()) log::error("{} broke graph {}: {}", pass.name, graph.name(), fault);
      SNUG_CHECK(fault.empty(), "a pass leaves a sound graph");
    }
  }
  return graph;
}

}  // namespace snug
