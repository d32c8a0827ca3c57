// What the planner is asked for, at random: a text encoder, a hoisted model that is called several times and
// whose batch may be cut into passes, a decoder, as pipeline/phase_requests.cc puts them together. For tests
// of planner, proof and executor. The same seed gives the same request.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "graph/passes/hoist.h"
#include "graph/passes/passes.h"
#include "plan/planner.h"
#include "tests/random_graph.h"

namespace snug::testing {

using PrepareGraph = std::function<Graph(Graph)>;

// The same graph for another number of images: inputs other than the timestep get that extent, and what
// follows from them, too. Not for graphs in which a weight has an extent for images.
inline Graph with_batch(const Graph& graph, int64_t batch) {
  Graph made(graph.name());
  int64_t before = 1;
  for (const ValueId id : graph.inputs()) before = std::max(before, graph.value(id).shape[0]);
  for (const Value& value : graph.values()) {
    Shape shape = value.shape;
    if (value.kind == ValueKind::kWeight) {
      made.add_weight(value);
      continue;
    }
    if (value.kind == ValueKind::kInput) {
      if (value.variability != Variability::kTimestep) shape.set(0, batch);
      made.add_input(value.name, value.dtype, shape, value.variability);
      continue;
    }
    const Node& node = graph.node(value.producer);
    Attrs attrs = node.attrs;
    if (auto* target = std::get_if<TargetShapeAttrs>(&attrs)) {
      if (made.value(node.inputs[0]).shape[0] != graph.value(node.inputs[0]).shape[0]) {
        target->shape.set(0, target->shape[0] / before * batch);
      }
    }
    const ValueId id = made.add_node(node.op, attrs, node.inputs, value.name);
    made.value(id).name = value.name;
  }
  for (const ValueId id : graph.outputs()) made.add_output(id);
  return made;
}

// Ways to run `images` images: at once, and one by one.
inline std::vector<int> random_ways(int64_t images, uint32_t seed) {
  if (images == 1) return {1};
  switch (seed % 3) {
    case 0: return {1};
    case 1: return {static_cast<int>(images)};
    default: return {1, static_cast<int>(images)};
  }
}

// Timesteps, prepare and step of a model's graph, in all its ways.
inline void add_model_phases(const Graph& graph, int calls, const std::vector<int>& ways,
                             const PrepareGraph& prepare_graph, std::vector<PhaseRequest>& phases) {
  const int64_t images = graph.value(graph.inputs()[0]).shape[0];
  PhaseRequest timesteps{"timesteps", "denoise", "model", 1, {}},
      prepare{"prepare", "denoise", "model", 1, {}};
  PhaseRequest step{"step", "denoise", "model", calls, {}};
  for (const int passes : ways) {
    HoistedGraphs parts =
        hoist(prepare_graph(passes == 1 ? graph : with_batch(graph, images / passes)), calls);
    const bool has_timesteps = !parts.timesteps.nodes().empty();
    const int timesteps_at = static_cast<int>(phases.size());
    const int prepare_at = timesteps_at + (has_timesteps ? 1 : 0);
    PhaseWay way{passes, std::move(parts.step), {}};
    for (const HoistedInput& hoisted : parts.hoisted) {
      way.links.push_back({hoisted.step_input, hoisted.from_timesteps ? timesteps_at : prepare_at,
                           hoisted.output_index, hoisted.from_timesteps});
    }
    step.ways.push_back(std::move(way));
    if (has_timesteps) timesteps.ways.push_back({1, std::move(parts.timesteps), {}});
    if (!parts.request.nodes().empty()) prepare.ways.push_back({passes, std::move(parts.request), {}});
  }
  for (PhaseRequest* request : {&timesteps, &prepare, &step}) {
    if (!request->ways.empty()) phases.push_back(std::move(*request));
  }
}

inline PhaseRequest whole_phase(const char* name, const char* part, Graph graph, int calls) {
  PhaseRequest request{name, name, part, calls, {}};
  request.ways.push_back({1, std::move(graph), {}});
  return request;
}

// A budget for the next attempt: `place` from 0, the smallest, to 1, what takes no measure at all.
inline Budget budget_between(uint64_t smallest, uint64_t natural, double place, uint64_t scratch_file_bytes) {
  const double room = natural > smallest ? static_cast<double>(natural - smallest) : 0;
  return {smallest + static_cast<uint64_t>(place * room), scratch_file_bytes};
}

}  // namespace snug::testing
