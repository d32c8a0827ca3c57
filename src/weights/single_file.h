// Finds the model parts inside one weight file: a whole checkpoint in the original layout, or a part on
// its own (a UNet, an autoencoder, a tiny autoencoder) in the original or in diffusers' layout.
// The list of known layouts is kLayouts in the source: one row per layout, and the only place to extend.
// Called by checkpoint.h.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "weights/weight_file.h"
#include "weights/weight_index.h"

namespace snug {

struct FoundPart {
  std::string layout;  // "original", "open_clip", "clip", "diffusers", "original_tiny"
  std::shared_ptr<const WeightIndex> weights;
};

struct FoundParts {
  std::map<std::string, FoundPart> parts;  // by diffusers' part name: "unet", "vae", "text_encoder", ...
  std::vector<std::string> unused;         // stored names that no part took: EMA copies, noise schedules, ...
};

// Throws unsupported_architecture when no part is recognised, and what WeightIndex::add does.
FoundParts find_parts(const WeightFile& file);

}  // namespace snug
