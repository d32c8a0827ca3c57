// Runs a graph the simplest way: node by node with a backend's kernels, every value in memory of its own
// until the end. For parity tests of models, apart from plan/ and runtime/ on purpose: it checks graphs and
// kernels without them, and them against it. Trusts its arguments; a missing input or weight throws
// std::runtime_error.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "graph/graph.h"
#include "tensor/host_tensor.h"

namespace snug::testing {

using Tensors = std::map<std::string, HostTensor>;

// Inputs in logical order, F32 or I32 as the graph says; weights by name, in any plain element type. Returns
// the graph's outputs and the values named in `taps`, in logical order, F32.
Tensors interpret(const Graph& graph, const Backend& backend, const Tensors& inputs, const Tensors& weights,
                  const std::vector<std::string>& taps = {});

}  // namespace snug::testing
