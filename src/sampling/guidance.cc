#include "sampling/guidance.h"

#include "base/check.h"

namespace snug {

void combine_guidance(std::span<const float> negative, std::span<const float> positive, float guidance_scale,
                      std::span<float> out) {
  SNUG_CHECK(negative.size() == out.size() && positive.size() == out.size(), "one length for all");
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = negative[i] + guidance_scale * (positive[i] - negative[i]);
  }
}

}  // namespace snug
