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
  double size;  // of the model's native edge
  std::string_view sampler;
  std::string_view meaning;
};

// From the quickest to the best.
std::span<const Preset> preset_list();

// Settles `fields.preset`, if there is one, and clears it. Throws invalid_argument for a name that is none.
void settle_preset(RequestFields& fields, const Model& model);

// The edge of a square picture of that share of the model's native size, which the model can do.
int64_t scaled_edge(const Model& model, double share);

}  // namespace snug
