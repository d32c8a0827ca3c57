// What was learned of autoencoders for previews (latent_preview.h), kept between runs: one entry for each
// model's identity in the user's cache folder. Called by jobs/preview_maker.
//
// It is a cache: whatever is wrong with it is a warning and counts as nothing learned.
#pragma once

#include <optional>
#include <string>

#include "pipeline/latent_preview.h"

namespace snug {

// $XDG_CACHE_HOME/snug/latent_previews.json, else ~/.cache/snug/latent_previews.json. Empty without a home.
std::string latent_previews_path();

// Of the model of that identity (open_model.h) and so many latent channels. Never throws.
std::optional<ProjectionSums> load_projection_sums(const std::string& path, const std::string& identity,
                                                   int64_t channels);
// Takes the place of the model's earlier ones; the models that were kept longest ago are forgotten. A failure
// is a warning. An empty path keeps nothing.
void keep_projection_sums(const std::string& path, const std::string& identity, const ProjectionSums& sums);

}  // namespace snug
