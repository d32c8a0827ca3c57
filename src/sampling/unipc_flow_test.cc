// UniPC on Wan's flow schedule against diffusers: tables for many shifts and numbers of steps, and runs with
// recorded outputs of a model, every step of them.
#include <cstdio>

#include <gtest/gtest.h>

#include "sampling/sampler_list.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::worst_difference;

constexpr double kSigmaTolerance = 2e-6;  // relative, as of the other schedulers' fixtures
constexpr double kLatentsTolerance = 1e-5;

json fixture() { return testing::read_fixture_json("wan-tiny-t2v/cases/unipc.json"); }

SamplerConfig config_of(json config, double shift) {
  config["_class_name"] = "UniPCMultistepScheduler";
  config["flow_shift"] = shift;
  return parse_scheduler_config(config.dump());
}

TEST(UniPcFlow, HasDiffusersSigmasAndWholeTimesteps) {
  const json all = fixture();
  int tables = 0;
  double worst = 0;
  for (const double shift : {1.0, 3.0, 5.0, 12.0}) {
    for (const int steps : {1, 2, 3, 4, 6, 20, 40, 50}) {
      const std::string name =
          "shift" + std::to_string(static_cast<int>(shift)) + ".steps" + std::to_string(steps);
      SCOPED_TRACE(name);
      const json& table = all.at("tables").at(name);
      const auto sampler = make_sampler(config_of(all.at("config"), shift), steps);
      const auto sigmas = table.at("sigmas").get<std::vector<double>>();
      ASSERT_EQ(sampler->sigmas().size(), sigmas.size());
      for (size_t i = 0; i < sigmas.size(); ++i) {
        EXPECT_NEAR(sampler->sigmas()[i], sigmas[i], kSigmaTolerance * sigmas[i]) << i;
        if (sigmas[i] > 0) worst = std::max(worst, std::fabs(sampler->sigmas()[i] / sigmas[i] - 1));
      }
      const auto timesteps = table.at("timesteps").get<std::vector<float>>();
      ASSERT_EQ(static_cast<size_t>(sampler->calls()), timesteps.size());
      for (int call = 0; call < sampler->calls(); ++call)
        EXPECT_EQ(sampler->timestep(call), timesteps[static_cast<size_t>(call)]) << call;
      ++tables;
    }
  }
  EXPECT_EQ(static_cast<size_t>(tables), all.at("tables").size());
  std::printf("parity unipc flow: %d tables, sigmas off by at most %.2g (tolerance %.2g, relative)\n", tables,
              worst, kSigmaTolerance);
}

class NoNoise final : public NoiseSource {
 public:
  void draw(std::span<float> /*out*/) override { ADD_FAILURE() << "UniPC draws no noise"; }
};

TEST(UniPcFlow, FollowsDiffusersRuns) {
  const auto runs = testing::read_fixture("wan-tiny-t2v/cases/unipc.safetensors");
  const json config = fixture().at("config");
  NoNoise noise;
  size_t compared = 0;
  for (const int steps : {1, 2, 3, 6, 20}) {
    const std::string run = "steps" + std::to_string(steps);
    const auto sampler = make_sampler(config_of(config, config.at("flow_shift")), steps);
    const std::span<const float> start = runs.at(run + ".sample_in").floats();
    std::vector<float> latents(start.begin(), start.end());
    sampler->begin(static_cast<int64_t>(latents.size()));
    double worst = 0;
    for (int call = 0; call < steps; ++call) {
      const std::string number = std::to_string(call);
      sampler->step(call, runs.at(run + ".model_output." + number).floats(), latents, noise);
      const double error = worst_difference(latents, runs.at(run + ".sample." + number).floats());
      EXPECT_LE(error, kLatentsTolerance) << run << " call " << call;
      worst = std::max(worst, error);
      compared += 2;
    }
    ++compared;
    std::printf("parity unipc flow %s: worst %.2g (tolerance %.2g)\n", run.c_str(), worst, kLatentsTolerance);
  }
  EXPECT_EQ(compared, runs.size()) << "nothing in the fixture goes unlooked at";
}

}  // namespace
}  // namespace snug
