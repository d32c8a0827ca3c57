// The embedded model's projection, learned from runs of its own. latent_preview_test.cc learns it anew from
// the same runs, compares, and prints it when it differs.
#include <array>

#include "models/embedded_model.h"
#include "pipeline/latent_preview.h"
#include "pipeline/open_model.h"

namespace snug {
namespace {

// [channels + 1][3]: red, green and blue for each latent channel, and of latents that are all 0.
constexpr std::array kTinyLandscapes = {
    -0.0486, -0.0621, 0.0742,   //
    0.1109,  0.1381,  0.1679,   //
    0.1532,  0.0464,  -0.0060,  //
    -0.0503, -0.0100, 0.0390,   //
    0.2330,  0.2768,  0.2717,
};

}  // namespace

std::optional<LatentProjection> built_in_projection(const Model& model) {
  if (model.checkpoint.name != kEmbeddedModelName || model.other_vae.has_value()) return std::nullopt;
  return LatentProjection{4, {kTinyLandscapes.begin(), kTinyLandscapes.end()}};
}

}  // namespace snug
