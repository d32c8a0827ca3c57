// What a model's output says about the picture and the noise in its input, and linear combinations of
// latents. Used by the samplers only.
#pragma once

#include <initializer_list>
#include <span>

#include "sampling/sampler_config.h"

namespace snug {

// of_latents * latents + of_output * output.
struct Mix {
  double of_latents;
  double of_output;
};

// For latents = signal * picture + noise * normal, in any scale (variance preserving: signal^2 + noise^2 = 1;
// k-diffusion: signal 1; flow: signal = 1 - noise). v prediction: Salimans and Ho (2022), v belongs to the
// variance-preserving scale. Flow: output = normal - picture.
Mix mix_for_picture(PredictionType prediction_type, double signal, double noise);
Mix mix_for_noise(PredictionType prediction_type, double signal, double noise);

struct Term {
  double factor;
  std::span<const float> values;
};

// out = sum of factor * values over the terms, summed in double in their order and rounded once. All of
// out's length (SNUG_CHECK); `out` may be one of them.
void combine(std::span<float> out, std::span<const Term> terms);
inline void combine(std::span<float> out, std::initializer_list<Term> terms) {
  combine(out, std::span<const Term>(terms.begin(), terms.size()));
}

void clamp(std::span<float> values, double limit);

}  // namespace snug
