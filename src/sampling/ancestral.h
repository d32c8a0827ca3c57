// How far an ancestral step goes down, and how much noise brings it up again. Used by the ancestral samplers
// of k-diffusion's family (Euler a, DPM2 a, DPM++ SDE).
#pragma once

namespace snug {

struct AncestralStep {
  double down;  // sigma to step to without noise
  double up;    // deviation of the noise added there; down^2 + up^2 = next^2
};

// From sigma `here` to `next` < `here` with the noise of DDPM's posterior (eta 1).
AncestralStep ancestral_step(double here, double next);

}  // namespace snug
