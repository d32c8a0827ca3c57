// What holds for every sampler of the list: names, schedules that end in a picture, resuming, image to
// image.
#include "sampling/sampler.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/error.h"
#include "sampling/sampler_list.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr int kElements = 4 * 6 * 5;

SamplerConfig config_for(const SamplerChoice& choice) {
  SamplerConfig config = stable_diffusion_config(choice, PredictionType::kEpsilon);
  if (config.kind == SamplerKind::kDdim) config.eta = 0.5;  // so that its noise is tested too
  return config;
}

// Each sampler, alone and with each schedule it takes.
std::vector<SamplerChoice> all_choices() {
  std::vector<SamplerChoice> choices;
  for (const SamplerInfo& row : sampler_list()) {
    choices.push_back({&row, std::nullopt});
    for (const ScheduleInfo& schedule : schedule_list()) {
      try {
        choices.push_back(find_sampler(std::string(row.name) + "_" + std::string(schedule.name)));
      } catch (const Error&) {
        EXPECT_TRUE(make_sampler(config_for({&row, std::nullopt}), 4)->sigmas().empty()) << row.name;
      }
    }
  }
  return choices;
}

std::vector<float> start_latents(const Sampler& sampler) {
  std::vector<float> latents(kElements);
  TorchGenerator(3).fill_normal(latents);
  for (float& value : latents) value *= sampler.init_noise_sigma();
  return latents;
}

// Calls [begin, end) with a model that is a fixed function of its input.
void run_calls(Sampler& sampler, int begin, int end, std::vector<float>& latents, NoiseSource& noise) {
  std::vector<float> output(latents.size());
  for (int call = begin; call < end; ++call) {
    const float c = 0.4F * std::sin(0.01F * sampler.timestep(call));
    for (size_t i = 0; i < latents.size(); ++i) {
      const float input = latents[i] * sampler.input_factor(call);
      output[i] = c * input + 0.2F * std::cos(3 * input);
    }
    sampler.step(call, output, latents, noise);
  }
}

TEST(Sampler, ResumedFromItsStateGivesTheSameBits) {
  for (const SamplerChoice& choice : all_choices()) {
    SCOPED_TRACE(sampler_name(choice));
    const auto whole = make_sampler(config_for(choice), 7);
    std::vector<float> expected = start_latents(*whole);
    BatchNoise whole_noise(11, 1);
    whole->begin(kElements);
    run_calls(*whole, 0, whole->calls(), expected, whole_noise);

    for (int stop = 0; stop <= whole->calls(); ++stop) {
      const auto first = make_sampler(config_for(choice), 7);
      std::vector<float> latents = start_latents(*first);
      BatchNoise noise(11, 1);
      first->begin(kElements);
      run_calls(*first, 0, stop, latents, noise);

      const auto second = make_sampler(config_for(choice), 7);
      second->restore(first->state(), kElements);
      BatchNoise resumed_noise(0, 1);
      resumed_noise.restore(noise.states());
      run_calls(*second, stop, second->calls(), latents, resumed_noise);
      ASSERT_EQ(testing::worst_difference(latents, expected), 0) << "stopped before call " << stop;
    }
  }
}

TEST(Sampler, RefusesAStateOfAnotherRun) {
  const auto heun = make_sampler(config_for(find_sampler("heun")), 4);
  SamplerState state;
  EXPECT_THROW(heun->restore(state, kElements), Error);
  state.history.assign(2, std::vector<float>(kElements - 1));
  EXPECT_THROW(heun->restore(state, kElements), Error);
  state.history.assign(2, std::vector<float>(kElements));
  state.next_call = heun->calls() + 1;
  EXPECT_THROW(heun->restore(state, kElements), Error);
}

// With a model that always knows the picture, every sampler must end at it.
TEST(Sampler, EndsAtThePictureThatTheModelPredicts) {
  for (const SamplerChoice& choice : all_choices()) {
    for (const int steps : {1, 2, 3, 20}) {
      SCOPED_TRACE(sampler_name(choice) + ", " + std::to_string(steps) + " steps");
      SamplerConfig config = config_for(choice);
      const bool flow = config.kind == SamplerKind::kFlowEuler;
      const auto sampler = make_sampler(config, steps);
      constexpr float kPicture = 0.75F;
      std::vector<float> normal(kElements);
      TorchGenerator(3).fill_normal(normal);
      std::vector<float> latents(kElements, kPicture);
      sampler->add_noise(0, normal, latents);
      std::vector<float> output(kElements);
      BatchNoise noise(5, 1);
      sampler->begin(kElements);
      for (int call = 0; call < sampler->calls(); ++call) {
        // Signal and noise of this call, from what add_noise does to a one and to a zero.
        std::vector<float> signal = {1};
        std::vector<float> scale = {0};
        sampler->add_noise(call, std::vector<float>{0}, signal);
        sampler->add_noise(call, std::vector<float>{1}, scale);
        for (size_t i = 0; i < latents.size(); ++i) {
          const float predicted = (latents[i] - signal[0] * kPicture) / scale[0];
          output[i] = flow ? predicted - kPicture : predicted;
        }
        sampler->step(call, output, latents, noise);
      }
      // DEIS and DDIM end at the first training timestep's noise, of deviation 0.03; the consistency models
      // keep a little of the latents.
      const double tolerance = 0.2;
      for (const float value : latents) ASSERT_NEAR(value, kPicture, tolerance);
      if (!sampler->sigmas().empty() && config.kind != SamplerKind::kDeis) {
        EXPECT_EQ(sampler->sigmas().back(), 0);
      }
    }
  }
}

TEST(Sampler, SaysWhatItAllocates) {
  for (const SamplerInfo& row : sampler_list()) {
    const auto sampler = make_sampler(config_for({&row, std::nullopt}), 5);
    sampler->begin(kElements);
    bool draws = false;
    for (int call = 0; call < sampler->calls(); ++call) draws = draws || sampler->draws_noise(call);
    const size_t buffers = sampler->state().history.size() + (draws ? 1 : 0);
    EXPECT_EQ(sampler->memory_bytes(kElements), static_cast<int64_t>(buffers * kElements * sizeof(float)))
        << row.name;
  }
}

// The calls that image to image and inpainting make in diffusers' pipelines.
TEST(Sampler, BeginsImageToImageWhereDiffusersDoes) {
  for (const char* name :
       {"pipeline_img2img", "pipeline_img2img_euler", "pipeline_inpaint", "pipeline_inpaint_partial"}) {
    SCOPED_TRACE(name);
    const json run = testing::read_fixture_json("sd15-tiny/cases/" + std::string(name) + ".json");
    json config = run.at("scheduler");
    config["_class_name"] = run.at("scheduler_class");
    const auto sampler =
        make_sampler(parse_scheduler_config(config.dump()), run.at("num_inference_steps").get<int>());
    std::vector<float> timesteps;
    for (int call = sampler->first_call(run.at("strength").get<double>()); call < sampler->calls(); ++call) {
      timesteps.push_back(sampler->timestep(call));
    }
    EXPECT_EQ(timesteps, run.at("unet_calls").get<std::vector<float>>());
    EXPECT_NEAR(sampler->init_noise_sigma(), run.at("init_noise_sigma").get<double>(), 1e-5);
  }
}

TEST(Sampler, BeginsAnywhereWithoutReadingHistoryThatIsNotThere) {
  for (const SamplerChoice& choice : all_choices()) {
    SCOPED_TRACE(sampler_name(choice));
    const auto sampler = make_sampler(config_for(choice), 6);
    for (const double strength : {0.0, 0.01, 0.5, 0.7, 1.0}) {
      const int first = sampler->first_call(strength);
      std::vector<float> latents(kElements, 0.5F);
      if (first < sampler->calls()) {
        std::vector<float> normal(kElements);
        TorchGenerator(9).fill_normal(normal);
        sampler->add_noise(first, normal, latents);
      }
      BatchNoise noise(5, 1);
      sampler->begin(kElements, first);
      run_calls(*sampler, first, sampler->calls(), latents, noise);
      for (const float value : latents) ASSERT_TRUE(std::isfinite(value) && std::fabs(value) < 1e3);
    }
  }
}

TEST(Sampler, PredictsThePictureUnderTheNoiseThatTheModelSaw) {
  std::vector<float> picture(kElements), normal(kElements);
  TorchGenerator(10).fill_normal(picture);
  TorchGenerator(11).fill_normal(normal);
  for (const SamplerChoice& choice : all_choices()) {
    const SamplerConfig config = config_for(choice);
    std::vector<float> output = normal;
    if (config.prediction_type == PredictionType::kFlow) {
      for (size_t i = 0; i < output.size(); ++i) output[i] -= picture[i];
    }
    const auto sampler = make_sampler(config, 6);
    for (int call = 0; call < sampler->calls(); ++call) {
      std::vector<float> latents = picture, predicted(kElements);
      sampler->add_noise(call, normal, latents);
      sampler->predict_picture(call, output, latents, predicted);
      // What rounding leaves of noise that is up to 200 times as loud as the picture.
      for (size_t i = 0; i < picture.size(); ++i) ASSERT_NEAR(predicted[i], picture[i], 1e-4F);
      sampler->predict_picture(call, output, latents, latents);
      EXPECT_EQ(latents, predicted);
    }
  }
}

TEST(Sampler, SimpleScheduleTakesEvenlySpacedTrainingSigmas) {
  const auto sampler = make_sampler(config_for(find_sampler("Euler Simple")), 4);
  std::vector<float> timesteps;
  for (int call = 0; call < sampler->calls(); ++call) timesteps.push_back(sampler->timestep(call));
  EXPECT_EQ(timesteps, (std::vector<float>{999, 749, 499, 249}));
}

TEST(Sampler, RefusesStepsThatItsScheduleHasNoRoomFor) {
  for (const SamplerInfo& row : sampler_list()) {
    const SamplerConfig config = config_for({&row, std::nullopt});
    for (const int steps : {-1, 0, 1001, 1'000'000'000})
      EXPECT_THROW(make_sampler(config, steps), Error) << row.name;
    // Each way of spacing has room for as many steps as there are timesteps, or says that it has not.
    try {
      EXPECT_GE(make_sampler(config, 1000)->calls(), 1000) << row.name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << row.name;
    }
  }
}

}  // namespace
}  // namespace snug
