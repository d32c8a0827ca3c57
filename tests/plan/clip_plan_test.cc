// A clip is decoded frame after frame: with memory that does not grow with the number of frames, to the same
// bits as the whole graph gives.
#include <cstdio>

#include <gtest/gtest.h>

#include "base/stopwatch.h"
#include "models/autoencoder_wan/autoencoder_wan.h"
#include "plan/carried_state.h"
#include "tests/plan/streamed_clip.h"

namespace snug {
namespace {

using testing::channels_innermost;

Graph decoder_of(const AutoencoderWanConfig& config, const WeightScope& w, const ClipSize& latents) {
  Graph graph("decoder");
  GraphBuilder builder(graph);
  build_wan_decoder(builder, config, w, latents);
  return graph;
}

class RealSizeDecoder : public ::testing::TestWithParam<const char*> {};

TEST_P(RealSizeDecoder, PeaksTheSameForNineAndEightyOneFrames) {
  const std::string manifest = std::string(GetParam()) + ".vae";
  const testing::MapWeights weights = testing::manifest_weights(manifest);
  const AutoencoderWanConfig config = testing::manifest_vae(manifest);
  std::vector<uint64_t> peaks, least;
  for (const int64_t frames : {9, 81}) {
    const ClipSize latents{1 + (frames - 1) / config.frame_factor(), 480 / config.factor(),
                           832 / config.factor()};
    KernelSet kernels(cpu_backend());
    const std::vector<PhaseRequest> phases =
        testing::vae_phase(testing::streamed(decoder_of(config, WeightScope(weights), latents)));
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
  Graph graph() const {
    return decoder_of(vae_.config(), vae_.scope(), {z_.shape()[2], z_.shape()[3], z_.shape()[4]});
  }
  // The clip as it comes in parts, under that budget for the arena.
  std::vector<float> decode(uint64_t arena_bytes, uint64_t& used_bytes) const {
    return vae_.stream(graph(), {{"latents", z_}}, arena_bytes, used_bytes);
  }
  testing::TinyVae vae_{GetParam()};
  testing::Tensors golden_ = testing::read_fixture(std::string(GetParam()) + "/cases/vae_decode.safetensors");
  HostTensor z_ = golden_.at("z").to_f32();
};

TEST_P(TinyDecoder, StreamsTheGoldenClipInAnyBudget) {
  uint64_t most_bytes = 0, bytes = 0;
  const std::vector<float> clip = decode(UINT64_MAX, most_bytes);
  std::vector<float> clamped = clip;
  for (float& value : clamped) value = std::clamp(value, -1.0F, 1.0F);
  const double worst = testing::worst_difference(clamped, channels_innermost(golden_.at("out")));
  std::printf("parity %s streamed: worst %.2g (tolerance 1e-4)\n", GetParam(), worst);
  EXPECT_LE(worst, 1e-4);
  const std::vector<float> less = decode(0, bytes);
  EXPECT_LE(bytes, most_bytes);
  EXPECT_TRUE(less == clip) << "other bits in " << bytes << " bytes";
}

TEST_P(TinyDecoder, HasTheBitsOfTheWholeGraph) {
  uint64_t bytes = 0;
  const std::vector<float> clip = decode(UINT64_MAX, bytes);
  EXPECT_TRUE(clip == channels_innermost(vae_.whole(graph(), {{"latents", z_}})));
}

INSTANTIATE_TEST_SUITE_P(Models, TinyDecoder, ::testing::Values("wan-tiny-t2v", "wan-tiny-ti2v"),
                         [](const auto& made) {
                           return std::string(made.param) == "wan-tiny-t2v" ? "wan21" : "wan22";
                         });

}  // namespace
}  // namespace snug
