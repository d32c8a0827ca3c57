// A graph of a clip as the one phase of a plan, and what it gives as it streams. For tests of Wan's
// autoencoders.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/cancellation.h"
#include "base/file_tree.h"
#include "graph/passes/passes.h"
#include "models/autoencoder_wan/config.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "runtime/executor.h"
#include "runtime/kernel_set.h"
#include "tests/fixtures.h"
#include "tests/manifest_weights.h"
#include "tests/part_values.h"
#include "weights/diffusers_folder.h"

namespace snug::testing {

// After the passes.
inline Graph streamed(const Graph& graph) {
  Graph ready = run_passes(graph);
  ready.set_streamed(true);
  return ready;
}

inline std::vector<PhaseRequest> vae_phase(Graph graph) {
  std::vector<PhaseRequest> phases = {{"clip", "decode", "vae", 1, {}}};
  phases.front().ways.push_back({1, std::move(graph), {}});
  return phases;
}

inline AutoencoderWanConfig manifest_vae(const std::string& manifest) {
  return parse_autoencoder_wan_config({manifest, manifest_config(manifest)});
}

// The autoencoder of a model among the fixtures.
class TinyVae {
 public:
  explicit TinyVae(const std::string& model)
      : tree_(open_folder(fixtures_dir() + "/" + model)), index_(open_folder_weights(*tree_, "vae")) {
    const auto file = tree_->open("vae/config.json");
    config_ = parse_autoencoder_wan_config({file->name(), read_text(*file, 1 << 20)});
  }
  const AutoencoderWanConfig& config() const { return config_; }
  WeightScope scope() const { return WeightScope(*index_); }

  // What a graph gives as it streams, channels innermost, under that budget for the arena; `used_bytes`: what
  // the plan took of it.
  std::vector<float> stream(const Graph& graph, const Tensors& inputs, uint64_t arena_bytes,
                            uint64_t& used_bytes) const {
    const std::vector<PhaseRequest> phases = vae_phase(streamed(graph));
    KernelSet kernels(cpu_backend());
    Budget budget;
    budget.arena_bytes = arena_bytes;
    const PlanOutcome outcome = make_plan(phases, kernels, budget, Rates());
    EXPECT_EQ(prove(outcome.plan).fault, "");
    used_bytes = outcome.plan.arena_bytes;
    const Cancellation never;
    Executor executor(outcome.plan, kernels, {{"vae", index_}}, never);
    const Phase& phase = outcome.plan.phases.front();
    executor.begin(phase);
    for (const auto& [name, values] : inputs) executor.set_input(phase, name, values.floats());
    std::vector<float> all;
    executor.run_streamed(phase, [&](const OutputPart& part) {
      // Every pixel once, in their order.
      const size_t channels = part.values.size() / static_cast<size_t>(part.pixels.size());
      EXPECT_EQ(static_cast<size_t>(part.pixels.begin) * channels, all.size());
      all.insert(all.end(), part.values.begin(), part.values.end());
    });
    return all;
  }

  // The same graph's one output, node by node, every value whole: channels outermost.
  HostTensor whole(const Graph& graph, const Tensors& inputs) const {
    const Graph ready = run_passes(graph);
    const Tensors out = interpret(ready, cpu_backend(), inputs, weights_of(ready, *index_));
    return out.begin()->second;
  }

 private:
  std::shared_ptr<FileTree> tree_;
  std::shared_ptr<const WeightIndex> index_;
  AutoencoderWanConfig config_;
};

// [1,C,T,H,W] with the channels innermost, as a clip streams.
inline std::vector<float> channels_innermost(const HostTensor& values) {
  const auto channels = static_cast<size_t>(values.shape()[1]);
  const size_t pixels = values.floats().size() / channels;
  std::vector<float> out(values.floats().size());
  for (size_t c = 0; c < channels; ++c) {
    for (size_t p = 0; p < pixels; ++p) out[p * channels + c] = values.floats()[c * pixels + p];
  }
  return out;
}

}  // namespace snug::testing
