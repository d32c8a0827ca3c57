// A clip is decoded frame after frame: with memory that does not grow with the number of frames, to the same
// bits as the whole graph gives.
#include <cstdio>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "base/cancellation.h"
#include "base/file_tree.h"
#include "base/stopwatch.h"
#include "graph/passes/passes.h"
#include "models/autoencoder_wan/autoencoder_wan.h"
#include "plan/carried_state.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "runtime/executor.h"
#include "runtime/kernel_set.h"
#include "tests/fixtures.h"
#include "tests/interpret.h"
#include "tests/manifest_weights.h"
#include "weights/diffusers_folder.h"

namespace snug {
namespace {

Graph decoder_of(const AutoencoderWanConfig& config, const WeightScope& w, const ClipSize& latents) {
  Graph graph("decoder");
  GraphBuilder builder(graph);
  build_wan_decoder(builder, config, w, latents);
  Graph ready = run_passes(graph);
  ready.set_streamed(true);
  return ready;
}

std::vector<PhaseRequest> decode_phase(Graph graph) {
  std::vector<PhaseRequest> phases = {{"decode", "decode", "vae", 1, {}}};
  phases.front().ways.push_back({1, std::move(graph), {}});
  return phases;
}

class RealSizeDecoder : public ::testing::TestWithParam<const char*> {};

TEST_P(RealSizeDecoder, PeaksTheSameForNineAndEightyOneFrames) {
  const std::string manifest = std::string(GetParam()) + ".vae";
  const testing::MapWeights weights = testing::manifest_weights(manifest);
  const AutoencoderWanConfig config =
      parse_autoencoder_wan_config({manifest, testing::manifest_config(manifest)});
  std::vector<uint64_t> peaks, least;
  for (const int64_t frames : {9, 81}) {
    const ClipSize latents{1 + (frames - 1) / config.frame_factor(), 480 / config.factor(),
                           832 / config.factor()};
    KernelSet kernels(cpu_backend());
    const std::vector<PhaseRequest> phases = decode_phase(decoder_of(config, WeightScope(weights), latents));
    least.push_back(RequestPlanner(phases, kernels, Rates()).sketch({0, 0}).plan.arena_bytes);
    const Stopwatch watch;
    const PlanOutcome outcome = make_plan(phases, kernels, {}, Rates());
    const double seconds = watch.seconds();
    ASSERT_TRUE(outcome.fits);
    peaks.push_back(outcome.plan.arena_bytes);
    // What a decoding that is interrupted in the middle has to keep.
    const Phase& phase = outcome.plan.phases.front();
    const Stopwatch following;
    uint64_t carried_bytes = 0;
    for (const CarriedPiece& piece : carried_state(phase, phase.instructions.size() / 2))
      carried_bytes += piece.bytes;
    std::printf("%s, %d frames: in the middle %.1f MiB are carried on, found in %.1f ms\n", manifest.c_str(),
                static_cast<int>(frames), static_cast<double>(carried_bytes) / (1 << 20),
                1000 * following.seconds());
    EXPECT_LT(carried_bytes, outcome.plan.arena_bytes);
    std::printf("%s, %d frames: arena %.1f MiB, %zu instructions, planned in %.0f ms\n", manifest.c_str(),
                static_cast<int>(frames), static_cast<double>(peaks.back()) / (1 << 20),
                outcome.plan.phases.front().instructions.size(), 1000 * seconds);
  }
  EXPECT_LE(static_cast<double>(peaks[1]), 1.01 * static_cast<double>(peaks[0]));
  // In as little as can be, too.
  EXPECT_LE(static_cast<double>(least[1]), 1.01 * static_cast<double>(least[0]));
  EXPECT_LT(least[1], peaks[1] * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(Models, RealSizeDecoder, ::testing::Values("wan21", "wan22"),
                         [](const auto& made) { return std::string(made.param); });

class TinyDecoder : public ::testing::TestWithParam<const char*> {
 protected:
  TinyDecoder() {
    const auto file = tree_->open("vae/config.json");
    config_ = parse_autoencoder_wan_config({file->name(), read_text(*file, 1 << 20)});
  }
  // The clip as it comes in parts, under that budget for the arena.
  std::vector<float> decode(const HostTensor& z, uint64_t arena_bytes, uint64_t& used_bytes) {
    const Shape& shape = z.shape();
    const std::vector<PhaseRequest> phases =
        decode_phase(decoder_of(config_, WeightScope(*index_), {shape[2], shape[3], shape[4]}));
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
    executor.set_input(phase, "latents", z.floats());
    std::vector<float> clip;
    executor.run_streamed(phase, [&](const OutputPart& part) {
      EXPECT_EQ(static_cast<size_t>(part.pixels.begin) * 3, clip.size());
      clip.insert(clip.end(), part.values.begin(), part.values.end());
    });
    return clip;
  }
  std::shared_ptr<FileTree> tree_ = open_folder(testing::fixtures_dir() + "/" + GetParam());
  std::shared_ptr<const WeightIndex> index_ = open_folder_weights(*tree_, "vae");
  AutoencoderWanConfig config_;
};

TEST_P(TinyDecoder, StreamsTheGoldenClipInAnyBudget) {
  const auto golden = testing::read_fixture(std::string(GetParam()) + "/cases/vae_decode.safetensors");
  const HostTensor z = golden.at("z").to_f32();
  uint64_t most_bytes = 0, bytes = 0;
  const std::vector<float> clip = decode(z, UINT64_MAX, most_bytes);
  const HostTensor& out = golden.at("out");
  const int64_t pixels = out.elements() / 3;
  ASSERT_EQ(static_cast<int64_t>(clip.size()), out.elements());
  double worst = 0;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < 3; ++c) {
      const float value = std::clamp(clip[static_cast<size_t>(3 * p + c)], -1.0F, 1.0F);
      worst = std::max(
          worst, std::fabs(static_cast<double>(value) - out.floats()[static_cast<size_t>(c * pixels + p)]));
    }
  }
  std::printf("parity %s streamed: worst %.2g (tolerance 1e-4)\n", GetParam(), worst);
  EXPECT_LE(worst, 1e-4);
  const std::vector<float> less = decode(z, 0, bytes);
  EXPECT_LE(bytes, most_bytes);
  EXPECT_TRUE(less == clip) << "other bits in " << bytes << " bytes";
}

TEST_P(TinyDecoder, HasTheBitsOfTheWholeGraph) {
  const auto golden = testing::read_fixture(std::string(GetParam()) + "/cases/vae_decode.safetensors");
  const HostTensor z = golden.at("z").to_f32();
  uint64_t bytes = 0;
  const std::vector<float> clip = decode(z, UINT64_MAX, bytes);
  const Graph graph = decoder_of(config_, WeightScope(*index_), {z.shape()[2], z.shape()[3], z.shape()[4]});
  testing::Tensors weights;
  for (const Value& value : graph.values()) {
    if (value.kind != ValueKind::kWeight || weights.contains(value.name)) continue;
    HostTensor tensor(DType::kF32, index_->entry(value.name).shape);
    index_->read_f32(value.name, 0, tensor.floats());
    weights.emplace(value.name, std::move(tensor));
  }
  const HostTensor whole = testing::interpret(graph, cpu_backend(), {{"latents", z}}, weights).at("clip");
  const int64_t pixels = whole.elements() / 3;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < 3; ++c) {
      ASSERT_EQ(clip[static_cast<size_t>(3 * p + c)], whole.floats()[static_cast<size_t>(c * pixels + p)])
          << p;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TinyDecoder, ::testing::Values("wan-tiny-t2v", "wan-tiny-ti2v"),
                         [](const auto& made) {
                           return std::string(made.param) == "wan-tiny-t2v" ? "wan21" : "wan22";
                         });

}  // namespace
}  // namespace snug
