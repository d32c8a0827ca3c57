// Every recorded run of diffusers' schedulers, step by step.
#include <cmath>
#include <cstdio>
#include <filesystem>

#include <gtest/gtest.h>

#include "sampling/sampler_list.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using nlohmann::json;
using testing::read_fixture;
using testing::read_fixture_json;
using testing::worst_difference;

using Tensors = std::map<std::string, HostTensor>;

// Hands out recorded noise in order.
class RecordedNoise : public NoiseSource {
 public:
  explicit RecordedNoise(std::span<const float> values) : values_(values) {}
  void draw(std::span<float> out) override {
    ASSERT_LE(out.size(), values_.size()) << "more noise drawn than recorded";
    std::copy_n(values_.begin(), out.size(), out.begin());
    values_ = values_.subspan(out.size());
  }
  size_t left() const { return values_.size(); }

 private:
  std::span<const float> values_;
};

std::vector<std::string> fixture_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(testing::fixtures_dir() + "/schedulers")) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

SamplerConfig config_of(const json& fixture, const json& run) {
  json config = fixture.at("config");
  config["_class_name"] = fixture.at("scheduler");
  config["prediction_type"] = run.at("prediction_type");
  if (fixture.at("scheduler") == "FlowMatchEulerDiscreteScheduler") config.erase("prediction_type");
  SamplerConfig parsed = parse_scheduler_config(config.dump());
  if (fixture.at("step_arguments").contains("eta"))
    parsed.eta = fixture["step_arguments"]["eta"].get<double>();
  if (run.contains("mu")) parsed.dynamic_mu = run["mu"].get<double>();
  return parsed;
}

// The stand-in for the network that the fixtures were made with.
void run_model(double timestep, std::span<const float> input, std::span<float> output) {
  const auto c = static_cast<float>(0.4 * std::sin(0.01 * timestep));
  for (size_t i = 0; i < input.size(); ++i) output[i] = c * input[i] + 0.2F * std::cos(3.0F * input[i]);
}

// Sigmas as diffusers lists them, some with more zeros than one at the end.
void expect_sigmas(std::span<const float> sigmas, const HostTensor& expected) {
  const std::span<const float> values = expected.floats();
  ASSERT_LE(sigmas.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const double sigma = i < sigmas.size() ? sigmas[i] : 0;
    EXPECT_NEAR(sigma, values[i], 2e-6 * values[i]) << "sigma " << i;
  }
}

struct Worst {
  double error = 0;
  double tolerance = 0;
  std::string run;
};

void expect_run(const json& fixture, const json& run, const Tensors& tensors, Worst& worst) {
  const std::string name = run.at("case").get<std::string>();
  const auto sampler = make_sampler(config_of(fixture, run), run.at("steps").get<int>());
  const int calls = run.at("calls").get<int>();
  ASSERT_EQ(sampler->calls(), calls);
  EXPECT_NEAR(sampler->init_noise_sigma(), run.at("init_noise_sigma").get<double>(),
              2e-6 * sampler->init_noise_sigma());
  if (tensors.contains(name + ".sigmas")) expect_sigmas(sampler->sigmas(), tensors.at(name + ".sigmas"));

  const std::span<const float> timesteps = tensors.at(name + ".timesteps").floats();
  const std::span<const float> factors = tensors.at(name + ".input_factor").floats();
  const std::span<const float> samples = tensors.at(name + ".samples").floats();
  std::span<const float> recorded;
  if (tensors.contains(name + ".noise")) recorded = tensors.at(name + ".noise").floats();
  RecordedNoise noise(recorded);

  const HostTensor start = read_fixture("schedulers/start.safetensors").begin()->second;
  std::vector<float> latents(start.floats().begin(), start.floats().end());
  for (float& value : latents) value *= sampler->init_noise_sigma();
  std::vector<float> input(latents.size());
  std::vector<float> output(latents.size());
  sampler->begin(static_cast<int64_t>(latents.size()));
  for (int call = 0; call < calls; ++call) {
    const auto index = static_cast<size_t>(call);
    const double fraction_tolerance = timesteps[index] == std::floor(timesteps[index]) ? 0 : 1e-3;
    EXPECT_NEAR(sampler->timestep(call), timesteps[index], fraction_tolerance) << "call " << call;
    EXPECT_NEAR(sampler->input_factor(call), factors[index], 2e-6 * factors[index]) << "call " << call;
    EXPECT_EQ(sampler->draws_noise(call) ? 1 : 0, run.at("draws_per_call")[index].get<int>())
        << "call " << call;
    for (size_t i = 0; i < input.size(); ++i) input[i] = latents[i] * sampler->input_factor(call);
    run_model(timesteps[index], input, output);
    sampler->step(call, output, latents, noise);
    const double error = worst_difference(latents, samples.subspan(index * latents.size(), latents.size()));
    const auto tolerance = run.at("tolerance").get<double>();
    EXPECT_LE(error, tolerance) << "call " << call;
    if (worst.run.empty() || error / tolerance > worst.error / worst.tolerance)
      worst = {error, tolerance, name};
  }
  EXPECT_EQ(noise.left(), 0U);
}

class SamplerParity : public ::testing::TestWithParam<std::string> {};

TEST_P(SamplerParity, FollowsDiffusers) {
  const json fixture = read_fixture_json("schedulers/" + GetParam() + ".json");
  const Tensors tensors = read_fixture("schedulers/" + GetParam() + ".safetensors");
  Worst worst;
  for (const json& run : fixture.at("cases")) {
    SCOPED_TRACE(run.at("case").get<std::string>());
    expect_run(fixture, run, tensors, worst);
  }
  std::printf("parity sampler %s: worst %.2g (tolerance %.2g) in %s\n", GetParam().c_str(), worst.error,
              worst.tolerance, worst.run.c_str());
}

INSTANTIATE_TEST_SUITE_P(Fixtures, SamplerParity, ::testing::ValuesIn(fixture_names()),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace snug
