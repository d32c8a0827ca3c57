// A clip is encoded frame after frame: to the bits that the whole graph gives, in any budget; and one that is
// given by pictures with nothing between them, in memory that does not grow with the number of frames.
#include <cstdio>

#include <gtest/gtest.h>

#include "models/autoencoder_wan/given_pictures.h"
#include "tests/plan/streamed_clip.h"

namespace snug {
namespace {

using testing::channels_innermost;
using testing::Tensors;

Graph encoder_of(const AutoencoderWanConfig& config, const WeightScope& w, const ClipSize& clip) {
  Graph graph("encoder");
  GraphBuilder builder(graph);
  build_wan_encoder(builder, config, w, clip);
  return graph;
}

Graph picture_encoder_of(const AutoencoderWanConfig& config, const WeightScope& w, const ClipSize& clip,
                         GivenFrames given) {
  Graph graph("encoder");
  GraphBuilder builder(graph);
  build_wan_picture_encoder(builder, config, w, clip, given);
  return graph;
}

class RealSizeEncoder : public ::testing::TestWithParam<std::tuple<const char*, GivenFrames>> {};

TEST_P(RealSizeEncoder, PeaksTheSameForNineAndEightyOneFrames) {
  const std::string manifest = std::string(std::get<0>(GetParam())) + ".vae";
  const testing::MapWeights weights = testing::manifest_weights(manifest);
  const AutoencoderWanConfig config = testing::manifest_vae(manifest);
  // A frame of the first level, in which values are largest.
  const double frame_bytes = 4.0 * 480 * 832 * static_cast<double>(config.encoder_channels) /
                             static_cast<double>(config.patch * config.patch);
  std::vector<uint64_t> peaks, least;
  for (const int64_t frames : {9, 81}) {
    const std::vector<PhaseRequest> phases = testing::vae_phase(testing::streamed(
        picture_encoder_of(config, WeightScope(weights), {frames, 480, 832}, std::get<1>(GetParam()))));
    KernelSet kernels(cpu_backend());
    least.push_back(RequestPlanner(phases, kernels, Rates()).sketch({0, 0}).plan.arena_bytes);
    const PlanOutcome outcome = make_plan(phases, kernels, {}, Rates());
    ASSERT_TRUE(outcome.fits);
    EXPECT_EQ(prove(outcome.plan).fault, "");
    peaks.push_back(outcome.plan.arena_bytes);
    std::printf("%s, %d frames: arena %.1f MiB, at least %.1f MiB\n", manifest.c_str(),
                static_cast<int>(frames), static_cast<double>(peaks.back()) / (1 << 20),
                static_cast<double>(least.back()) / (1 << 20));
  }
  EXPECT_LE(static_cast<double>(peaks[1]), 1.01 * static_cast<double>(peaks[0]));
  // In as little as can be, too.
  EXPECT_LE(static_cast<double>(least[1]), 1.01 * static_cast<double>(least[0]));
  // Of some values two frames and a part of one, of most but a part; four frames of all would be a hundred.
  EXPECT_LE(static_cast<double>(peaks[1]), 40 * frame_bytes);
  EXPECT_LE(static_cast<double>(least[1]), 25 * frame_bytes);
}

INSTANTIATE_TEST_SUITE_P(Models, RealSizeEncoder,
                         ::testing::Combine(::testing::Values("wan21", "wan22"),
                                            ::testing::Values(GivenFrames::kFirst,
                                                              GivenFrames::kFirstAndLast)),
                         [](const auto& made) {
                           return std::string(std::get<0>(made.param)) +
                                  (std::get<1>(made.param) == GivenFrames::kFirst ? "_first" : "_first_last");
                         });

class TinyEncoder : public ::testing::TestWithParam<const char*> {
 protected:
  // The golden clip's frame.
  HostTensor frame_of(int64_t frame) const {
    const Shape& clip = video_.shape();
    HostTensor one(DType::kF32, {1, 3, 1, clip[3], clip[4]});
    const int64_t pixels = clip[3] * clip[4];
    for (int64_t c = 0; c < 3; ++c) {
      std::copy_n(video_.floats().begin() + (c * clip[2] + frame) * pixels, pixels,
                  one.floats().begin() + c * pixels);
    }
    return one;
  }
  testing::TinyVae vae_{GetParam()};
  Tensors golden_ = testing::read_fixture(std::string(GetParam()) + "/cases/vae_encode.safetensors");
  HostTensor video_ = golden_.at("video").to_f32();
  ClipSize size_{video_.shape()[2], video_.shape()[3], video_.shape()[4]};
};

TEST_P(TinyEncoder, StreamsTheGoldenLatentsWithTheBitsOfTheWholeGraphInAnyBudget) {
  const Graph graph = encoder_of(vae_.config(), vae_.scope(), size_);
  const Tensors inputs = {{"clip", video_}};
  uint64_t most_bytes = 0, bytes = 0;
  const std::vector<float> moments = vae_.stream(graph, inputs, UINT64_MAX, most_bytes);
  // Of each pixel the means, then as many variances.
  std::vector<float> expected;
  const std::vector<float> means = channels_innermost(golden_.at("mean"));
  const std::vector<float> variances = channels_innermost(golden_.at("logvar"));
  const auto channels = static_cast<ptrdiff_t>(vae_.config().latent_channels);
  for (auto mean = means.begin(), variance = variances.begin(); mean != means.end();
       mean += channels, variance += channels) {
    expected.insert(expected.end(), mean, mean + channels);
    expected.insert(expected.end(), variance, variance + channels);
  }
  const double worst = testing::worst_difference(moments, expected);
  std::printf("parity %s encoded as a stream: worst %.2g (tolerance 1e-4)\n", GetParam(), worst);
  EXPECT_LE(worst, 1e-4);
  EXPECT_TRUE(moments == channels_innermost(vae_.whole(graph, inputs)));
  EXPECT_TRUE(vae_.stream(graph, inputs, 0, bytes) == moments) << "other bits in " << bytes << " bytes";
  EXPECT_LE(bytes, most_bytes);
}

// The clip that nobody holds is the one whose frames between the pictures are zeros.
TEST_P(TinyEncoder, EncodesGivenPicturesToTheBitsOfTheirWholeClip) {
  const HostTensor first = frame_of(0), last = frame_of(size_.frames - 1);
  const auto pixels = static_cast<ptrdiff_t>(size_.height * size_.width);
  HostTensor pair(DType::kF32, {1, 6, 1, size_.height, size_.width});
  for (ptrdiff_t c = 0; c < 3; ++c)
    std::copy_n(first.floats().begin() + c * pixels, pixels, pair.floats().begin() + 2 * c * pixels);
  for (const GivenFrames given : {GivenFrames::kFirst, GivenFrames::kFirstAndLast}) {
    HostTensor clip(DType::kF32, video_.shape());
    Tensors inputs = {{"picture_and_zeros", pair}};
    for (ptrdiff_t c = 0; c < 3; ++c) {
      const auto channel = clip.floats().begin() + c * size_.frames * pixels;
      std::copy_n(first.floats().begin() + c * pixels, pixels, channel);
      if (given == GivenFrames::kFirst) continue;
      std::copy_n(last.floats().begin() + c * pixels, pixels, channel + (size_.frames - 1) * pixels);
    }
    if (given == GivenFrames::kFirstAndLast) inputs.emplace("last", last);
    const std::vector<float> expected =
        channels_innermost(vae_.whole(encoder_of(vae_.config(), vae_.scope(), size_), {{"clip", clip}}));
    const Graph graph = picture_encoder_of(vae_.config(), vae_.scope(), size_, given);
    for (const uint64_t budget : {UINT64_MAX, uint64_t{0}}) {
      uint64_t bytes = 0;
      EXPECT_TRUE(vae_.stream(graph, inputs, budget, bytes) == expected)
          << (given == GivenFrames::kFirst ? "first" : "first and last") << " in " << bytes << " bytes";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, TinyEncoder, ::testing::Values("wan-tiny-t2v", "wan-tiny-ti2v"),
                         [](const auto& made) {
                           return std::string(made.param) == "wan-tiny-t2v" ? "wan21" : "wan22";
                         });

}  // namespace
}  // namespace snug
