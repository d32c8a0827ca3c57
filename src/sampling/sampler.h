// A sampler: takes the latents from noise to picture in as many model calls as its schedule has.
//
// pipeline/denoise drives it:
//
//   auto sampler = make_sampler(config, steps);                         // sampler_list.h
//   sampler->begin(latents.size(), sampler->first_call(strength));      // allocates; nothing does after it
//   for (int call = first; call < sampler->calls(); ++call) {
//     model_input = latents * sampler->input_factor(call);
//     output = model(model_input, sampler->timestep(call));             // and combine_guidance()
//     sampler->step(call, output, latents, noise);
//   }
//
// Latents are flat spans of f32 in whatever shape the model has; all arithmetic on them is elementwise, with
// coefficients and sums in double. One thread at a time. What a sampler remembers between calls is plain
// data, state(), so that a run resumed from it gives the same bits. Each sampler is in a file of its own
// that names its source.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sampling/noise.h"
#include "sampling/prediction.h"
#include "sampling/sampler_config.h"

namespace snug {

// One call of the model. The latents it sees are signal * picture + noise * unit normal, before
// input_factor.
struct SamplerCall {
  float timestep = 0;
  double signal = 1;
  double noise = 0;
  float input_factor = 1;
  bool draws_noise = false;
};

// What a sampler carries from one call to the next.
struct SamplerState {
  int first_call = 0;
  int next_call = 0;
  std::vector<std::vector<float>> history;  // each of the latents' length; meaning and order by sampler
};

class Sampler {
 public:
  virtual ~Sampler() = default;
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  int calls() const { return static_cast<int>(calls_.size()); }
  float timestep(int call) const { return at(call).timestep; }
  // scale_model_input of diffusers.
  float input_factor(int call) const { return at(call).input_factor; }
  // Unit normal noise times this starts a run from call 0.
  float init_noise_sigma() const { return init_noise_sigma_; }
  // Whether step() draws noise for the latents' whole length in this call.
  bool draws_noise(int call) const { return at(call).draws_noise; }
  // As diffusers lists them: for samplers of two calls a step each inner sigma twice; empty for DDIM, DDPM,
  // PNDM, LCM and TCD. The last is where the run ends.
  std::span<const float> sigmas() const { return sigmas_; }

  // Where image to image of this strength (0..1) begins: diffusers' get_timesteps. calls() when so weak that
  // no call is left.
  int first_call(double strength) const;
  // Where two models share a schedule, as SDXL's base and refiner do, one ends after this share of the
  // training's timesteps and the other begins there: diffusers' denoising_end and denoising_start. The second
  // begins with a whole step.
  int end_call_before(double share) const;
  int first_call_after(double share) const;
  // Turns clean latents into the ones that `call` expects, with unit normal `noise`. For inpainting also
  // with call == calls(), which leaves them clean.
  void add_noise(int call, std::span<const float> noise, std::span<float> latents) const;

  // What begin() allocates for latents of that length, for the plan.
  int64_t memory_bytes(int64_t elements) const;
  void begin(int64_t elements, int first_call = 0);
  // `output` is the model's, guidance already combined; `latents` are replaced. Calls come in order, each
  // once (SNUG_CHECK).
  void step(int call, std::span<const float> output, std::span<float> latents, NoiseSource& noise);

  // The picture that the model's output says there is under the noise, in `picture`; for showing, before
  // step() replaces the latents. All three are of one length; `picture` may be either of the others.
  void predict_picture(int call, std::span<const float> output, std::span<const float> latents,
                       std::span<float> picture) const;

  const SamplerConfig& config() const { return config_; }
  const SamplerState& state() const { return state_; }
  // Goes on from a saved state; corrupt_model when it cannot be one of this sampler's for this length.
  void restore(SamplerState state, int64_t elements);

 protected:
  Sampler(const SamplerConfig& config, int steps, int calls_per_step, int history_size);

  // The arithmetic of one call. `noise` is as long as the latents where the call draws noise, else empty.
  virtual void advance(int call, std::span<const float> output, std::span<float> latents,
                       std::span<const float> noise) = 0;

  const SamplerCall& at(int call) const;
  // Calls made before this one in this run: how much history there is.
  int calls_before(int call) const { return call - state_.first_call; }
  // How to get the picture and the noise out of the model's output at this call.
  Mix picture_mix(int call) const {
    return mix_for_picture(config_.prediction_type, at(call).signal, at(call).noise);
  }
  Mix noise_mix(int call) const {
    return mix_for_noise(config_.prediction_type, at(call).signal, at(call).noise);
  }

  std::span<float> history(int index) { return state_.history[static_cast<size_t>(index)]; }
  // The oldest of the first `count` entries becomes the newest, history(0), to be overwritten.
  std::span<float> push_history(int count);

  // For make-time use by the samplers' constructors.
  void add_call(const SamplerCall& call) { calls_.push_back(call); }
  // Every call, or one.
  void set_draws_noise();
  void set_draws_noise(int call, bool draws) { calls_.at(static_cast<size_t>(call)).draws_noise = draws; }
  void set_sigmas(std::vector<float> sigmas) { sigmas_ = std::move(sigmas); }
  void set_init_noise_sigma(double sigma) { init_noise_sigma_ = static_cast<float>(sigma); }
  float sigma(int index) const { return sigmas_[static_cast<size_t>(index)]; }

  int steps() const { return steps_; }

 private:
  bool ever_draws_noise() const;

  SamplerConfig config_;
  int steps_;
  int calls_per_step_;
  int history_size_;
  std::vector<SamplerCall> calls_;
  std::vector<float> sigmas_;
  float init_noise_sigma_ = 1;
  SamplerState state_;
  std::vector<float> noise_;
};

}  // namespace snug
