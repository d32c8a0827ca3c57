// What a graph of real size amounts to: its multiply-adds as manifests/flops.json counts them, and its
// weights.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "graph/graph.h"
#include "tests/manifest_weights.h"

namespace snug::testing {

// Multiply-adds of a graph, by the kinds that flops.json counts. Of a gated linear only the products.
inline nlohmann::json multiply_adds(const Graph& graph) {
  int64_t conv = 0;
  int64_t linear = 0;
  int64_t attention = 0;
  for (const Node& node : graph.nodes()) {
    auto count = static_cast<int64_t>(graph.cost(node).flops) / 2;
    const auto* attrs = std::get_if<LinearAttrs>(&node.attrs);
    if (attrs != nullptr && attrs->gated) {
      count = 2 * graph.value(node.output).shape.elements() * graph.value(node.inputs[1]).shape[1];
    }
    if (node.op == Op::kConv2d || node.op == Op::kConv3d) conv += count;
    if (node.op == Op::kLinear) linear += count;
    if (node.op == Op::kAttention) attention += count;
  }
  return {{"conv", conv}, {"linear", linear}, {"attention", attention}, {"total", conv + linear + attention}};
}

// Every tensor of the manifest is used, once, and nothing else.
inline void expect_all_used(const MapWeights& weights, std::initializer_list<const Graph*> graphs) {
  std::set<std::string> used;
  for (const Graph* graph : graphs) {
    for (const Value& value : graph->values()) {
      if (value.kind == ValueKind::kWeight) used.insert(value.name);
    }
  }
  for (const auto& [name, info] : weights.tensors)
    EXPECT_TRUE(used.count(name) == 1) << name << " is not used";
  EXPECT_EQ(used.size(), weights.tensors.size());
}

// Elements of all weights that the graphs use, each once.
inline int64_t parameter_count(std::initializer_list<const Graph*> graphs) {
  std::set<std::pair<std::string, int64_t>> seen;  // with its first row
  int64_t count = 0;
  for (const Graph* graph : graphs) {
    for (const Value& value : graph->values()) {
      if (value.kind != ValueKind::kWeight || !seen.emplace(value.name, value.first_row).second) continue;
      count += value.shape.elements();
    }
  }
  return count;
}

}  // namespace snug::testing
