// scheduler_config.json, good and bad.
#include <cmath>

#include <gtest/gtest.h>

#include "base/error.h"
#include "sampling/sampler_list.h"

namespace snug {
namespace {

// As Stable Diffusion 1.5 publishes it.
constexpr const char* kStableDiffusion = R"({"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0",
  "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000,
  "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null,
  "clip_sample": false})";
constexpr const char* kStableDiffusion3 =
    R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0})";

ErrorCode code_of(const std::string& text) {
  try {
    make_sampler(parse_scheduler_config(text), 10);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kInternal;
}

TEST(SchedulerConfig, ReadsItsOwnClass) {
  const SamplerConfig config = parse_scheduler_config(kStableDiffusion);
  EXPECT_EQ(config.kind, SamplerKind::kPndm);
  EXPECT_EQ(config.beta_schedule, BetaSchedule::kScaledLinear);
  EXPECT_EQ(config.timestep_spacing, TimestepSpacing::kLeading);
  EXPECT_EQ(config.steps_offset, 1);
  EXPECT_FALSE(config.set_alpha_to_one);
}

TEST(SchedulerConfig, ChosenSamplerTakesItsOwnDefaultsForAbsentFields) {
  const SamplerConfig euler = parse_scheduler_config(kStableDiffusion, find_sampler("euler"));
  EXPECT_EQ(euler.kind, SamplerKind::kEuler);
  EXPECT_EQ(euler.timestep_spacing, TimestepSpacing::kLinspace);
  EXPECT_EQ(euler.steps_offset, 1);
  const SamplerConfig solver = parse_scheduler_config(kStableDiffusion, find_sampler("DPM++ 3M SDE Karras"));
  EXPECT_EQ(solver.solver_order, 3);
  EXPECT_TRUE(solver.stochastic);
  EXPECT_EQ(solver.sigma_schedule, SigmaSchedule::kKarras);
}

TEST(SchedulerConfig, FlowModelKeepsItsFlowWithAnotherSampler) {
  const SamplerConfig own = parse_scheduler_config(kStableDiffusion3);
  EXPECT_EQ(own.flow_shift, 3);
  const SamplerConfig solver = parse_scheduler_config(kStableDiffusion3, find_sampler("DPM++ 2M"));
  EXPECT_EQ(solver.prediction_type, PredictionType::kFlow);
  EXPECT_EQ(solver.sigma_schedule, SigmaSchedule::kFlow);
  EXPECT_EQ(solver.flow_shift, 3);
  EXPECT_THROW(parse_scheduler_config(kStableDiffusion3, find_sampler("ddim")), Error);
  EXPECT_THROW(parse_scheduler_config(kStableDiffusion, find_sampler("flow_euler")), Error);
}

TEST(SchedulerConfig, DynamicShiftLiesOnTheLine) {
  const SamplerConfig config = default_sampler_config(SamplerKind::kFlowEuler);
  EXPECT_DOUBLE_EQ(dynamic_shift_mu(config, 256), 0.5);
  EXPECT_DOUBLE_EQ(dynamic_shift_mu(config, 4096), 1.15);
}

TEST(SchedulerConfig, MalformedTextIsBadConfig) {
  const std::string deep(100'000, '[');
  for (const std::string& text :
       std::vector<std::string>{"", "{", "[]", "null", "\"text\"", "{\"_class_name\": 3}", "{}",
                                std::string("\xff\xfe\x00{", 4), deep, "{\"_class_name\":" + deep}) {
    EXPECT_EQ(code_of(text), ErrorCode::kBadConfig) << text.substr(0, 40);
  }
}

TEST(SchedulerConfig, AbsurdValuesAreBadConfig) {
  for (const char* field : {"\"num_train_timesteps\": 0",
                            "\"num_train_timesteps\": 1",
                            "\"num_train_timesteps\": -5",
                            "\"num_train_timesteps\": 2000000000",
                            "\"num_train_timesteps\": 1e300",
                            "\"num_train_timesteps\": 10.5",
                            "\"num_train_timesteps\": \"1000\"",
                            "\"beta_start\": -1",
                            "\"beta_end\": 2",
                            "\"beta_end\": 0",
                            "\"beta_start\": 1e400",
                            "\"beta_end\": null, \"trained_betas\": [0.1]",
                            "\"trained_betas\": \"x\"",
                            "\"trained_betas\": [1, \"x\"]",
                            "\"steps_offset\": -1",
                            "\"steps_offset\": 1000000",
                            "\"sigma_min\": 0",
                            "\"sigma_max\": -1",
                            "\"sigma_min\": 5, \"sigma_max\": 2",
                            "\"use_karras_sigmas\": 1",
                            "\"use_karras_sigmas\": true, \"use_beta_sigmas\": true",
                            "\"timestep_spacing\": 3"}) {
    EXPECT_EQ(code_of(std::string("{\"_class_name\": \"EulerDiscreteScheduler\", ") + field + "}"),
              ErrorCode::kBadConfig)
        << field;
  }
  EXPECT_EQ(code_of(R"({"_class_name": "DPMSolverMultistepScheduler", "solver_order": 9})"),
            ErrorCode::kBadConfig);
  EXPECT_EQ(code_of(R"({"_class_name": "LCMScheduler", "original_inference_steps": 0})"),
            ErrorCode::kBadConfig);
  EXPECT_EQ(code_of(R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 0})"),
            ErrorCode::kBadConfig);
}

TEST(SchedulerConfig, WhatSnugLacksIsUnsupported) {
  for (const char* text :
       {R"({"_class_name": "ScoreSdeVeScheduler"})",
        R"({"_class_name": "EulerDiscreteScheduler", "beta_schedule": "laplace"})",
        R"({"_class_name": "DDIMScheduler", "thresholding": true})", R"({"_class_name": "PNDMScheduler"})",
        R"({"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver"})",
        R"({"_class_name": "DPMSolverMultistepScheduler", "use_lu_lambdas": true})",
        R"({"_class_name": "UniPCMultistepScheduler", "predict_x0": false})",
        R"({"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": true})"}) {
    EXPECT_EQ(code_of(text), ErrorCode::kUnsupported) << text;
  }
}

// A schedule where nothing but noise is left, or nothing but picture, must end in an error, not in NaN.
TEST(SchedulerConfig, DegenerateBetasAreRefusedOrFinite) {
  for (const char* field :
       {"\"beta_start\": 0, \"beta_end\": 0.02", "\"beta_start\": 0.99, \"beta_end\": 0.99",
        "\"beta_start\": 1e-30, \"beta_end\": 1e-30"}) {
    for (const SamplerInfo& row : sampler_list()) {
      const std::string text = std::string("{\"_class_name\": \"") + std::string(row.diffusers_class) +
                               "\", \"skip_prk_steps\": true, " + field + "}";
      try {
        const auto sampler = make_sampler(parse_scheduler_config(text), 10);
        for (const float sigma : sampler->sigmas())
          EXPECT_TRUE(std::isfinite(sigma)) << row.name << " " << field;
      } catch (const Error& error) {
        EXPECT_NE(error.code(), ErrorCode::kInternal);
      }
    }
  }
}

TEST(SchedulerJson, PythonsInfinityIsReadAsDiffusersWritesIt) {
  const SamplerConfig config = parse_scheduler_config(
      R"({"_class_name": "DPMSolverMultistepScheduler", "note": "-Infinity \" NaN", "lambda_min_clipped": -Infinity})");
  EXPECT_TRUE(std::isinf(config.lambda_min_clipped));
  EXPECT_THROW(parse_scheduler_config("{\"_class_name\": NaN"), Error);
}

}  // namespace
}  // namespace snug
