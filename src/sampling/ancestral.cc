#include "sampling/ancestral.h"

#include <algorithm>
#include <cmath>

namespace snug {

AncestralStep ancestral_step(double here, double next) {
  const double up = std::min(next, std::sqrt(next * next * (here * here - next * next) / (here * here)));
  return {std::sqrt(next * next - up * up), up};
}

}  // namespace snug
