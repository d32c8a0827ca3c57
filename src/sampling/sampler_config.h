// What decides a sampler's schedule and arithmetic: diffusers' scheduler configuration, under its field
// names, and the reader of scheduler_config.json.
//
// pipeline/ reads the model's file (or takes stable_diffusion_config() for a single-file checkpoint, which
// has none), and sampler_list.h lets the user's choice of sampler override it. Which class means which
// sampler is in sampler_list; the arithmetic is in one file for each sampler.
#pragma once

#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace snug {

struct SamplerChoice;

// One for each implementation, that is for each diffusers class.
enum class SamplerKind {
  kDdim,
  kDdpm,
  kPndm,
  kEuler,
  kEulerAncestral,
  kHeun,
  kDpm2,
  kDpm2Ancestral,
  kLms,
  kDpmppSde,
  kDpmppMultistep,
  kDpmppSinglestep,
  kDeis,
  kUniPc,
  kLcm,
  kTcd,
  kFlowEuler,
};

enum class BetaSchedule { kLinear, kScaledLinear, kSquaredCosine };
enum class PredictionType { kEpsilon, kV, kSample, kFlow };
enum class TimestepSpacing { kLeading, kTrailing, kLinspace };
// How sigmas lie between the largest and the smallest. kSpacing: at the timesteps of `timestep_spacing`;
// kNormal: the same with linspace whatever the configuration says; kSimple: every so many of the training
// sigmas, from the largest (A1111's "Simple"); kFlow: diffusers' use_flow_sigmas.
enum class SigmaSchedule { kSpacing, kNormal, kKarras, kExponential, kBeta, kSimple, kFlow };
enum class FinalSigma { kZero, kSmallest };

// Defaults here are those most classes share; default_sampler_config() knows where a class differs.
struct SamplerConfig {
  SamplerKind kind = SamplerKind::kEuler;
  int num_train_timesteps = 1000;
  double beta_start = 0.0001;
  double beta_end = 0.02;
  BetaSchedule beta_schedule = BetaSchedule::kLinear;
  std::vector<float> trained_betas;  // num_train_timesteps of them, or none
  bool rescale_betas_zero_snr = false;
  PredictionType prediction_type = PredictionType::kEpsilon;
  TimestepSpacing timestep_spacing = TimestepSpacing::kLinspace;
  int steps_offset = 0;
  SigmaSchedule sigma_schedule = SigmaSchedule::kSpacing;
  std::optional<double> sigma_min, sigma_max;  // ends of Karras, exponential and beta schedules
  FinalSigma final_sigma = FinalSigma::kZero;
  double lambda_min_clipped = -std::numeric_limits<double>::infinity();

  // DDIM, DDPM, PNDM, LCM, TCD.
  bool set_alpha_to_one = true;
  bool clip_sample = false;
  double clip_sample_range = 1.0;
  bool fixed_large_variance = false;  // DDPM's variance_type "fixed_large" instead of "fixed_small"
  double eta = 0.0;                   // DDIM: share of DDPM's noise; TCD: gamma of its paper
  int original_inference_steps = 50;  // LCM, TCD
  double timestep_scaling = 10.0;     // LCM

  // DPM++ multistep and singlestep, DEIS, UniPC.
  int solver_order = 2;
  bool stochastic = false;   // algorithm_type "sde-dpmsolver++"
  bool heun_solver = false;  // solver_type "heun" instead of "midpoint"
  bool lower_order_final = true;
  bool euler_at_final = false;
  bool bh1_solver = false;             // UniPC's solver_type "bh1" instead of "bh2"
  std::vector<int> disable_corrector;  // UniPC: calls whose result is not corrected

  // Flow matching.
  double flow_shift = 1.0;
  bool use_dynamic_shifting = false;
  bool linear_time_shift = false;    // time_shift_type "linear" instead of "exponential"
  std::optional<double> dynamic_mu;  // needed where use_dynamic_shifting; see dynamic_shift_mu()
  std::optional<double> shift_terminal;
  bool stochastic_sampling = false;
  double base_shift = 0.5, max_shift = 1.15;
  int base_image_seq_len = 256, max_image_seq_len = 4096;
};

// The defaults of the diffusers class.
SamplerConfig default_sampler_config(SamplerKind kind);
// What Stable Diffusion 1.x and 2.x checkpoints were trained with, for files that bring no configuration.
SamplerConfig stable_diffusion_config(const SamplerChoice& choice, PredictionType prediction_type);

// Reads scheduler_config.json, of the class it names, or, with a choice, of the chosen class as diffusers'
// from_config does it: fields the file lacks get the chosen class's default. Throws bad_config for text
// that is no such configuration or values that make no schedule, unsupported for valid ones Snug lacks.
SamplerConfig parse_scheduler_config(std::string_view json);
SamplerConfig parse_scheduler_config(std::string_view json, const SamplerChoice& choice);

// Whether it samples models that predict a flow, as Wan's do.
bool samples_flow(SamplerKind kind);

// Throws bad_config for values that make no schedule, unsupported for valid ones Snug lacks.
void check_sampler_config(const SamplerConfig& config);

// The shift for `image_tokens` latent tokens, on the line through (base_image_seq_len, base_shift) and
// (max_image_seq_len, max_shift).
double dynamic_shift_mu(const SamplerConfig& config, int image_tokens);

}  // namespace snug
