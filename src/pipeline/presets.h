// What users ask for in place of numbers: a preset, or a time. Both become steps, size and sampler before the
// request is validated; what the user states as well stays as stated.
#pragma once

#include <span>
#include <string_view>

#include "pipeline/open_model.h"
#include "pipeline/request.h"

namespace snug {

struct Preset {
  std::string_view name;
  int64_t steps;
  double size;               // of the model's native edges
  std::string_view sampler;  // of pictures; clips have their model's own
  std::string_view meaning;
};

// From the quickest to the best.
std::span<const Preset> preset_list();

// Settles `fields.preset`, if there is one, and clears it. Throws invalid_argument for a name that is none.
void settle_preset(RequestFields& fields, const Model& model);

// Height and width at about that share of the model's native ones, which the model can do.
SizePair scaled_size(const Model& model, double share);

}  // namespace snug
