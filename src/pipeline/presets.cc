#include "pipeline/presets.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/error.h"
#include "pipeline/clip_facts.h"

namespace snug {
namespace {

// DPM++ 2M with Karras' sigmas is the one that needs the fewest steps of those that add no noise.
constexpr std::array kPresets = {
    Preset{"draft", 8, 0.75, "dpmpp_2m_karras", "8 steps at three quarters of the model's size"},
    Preset{"standard", 15, 1, "dpmpp_2m_karras", "15 steps at the model's size"},
    Preset{"high", 25, 1, "dpmpp_2m_karras", "25 steps at the model's size"},
};

// UNets halve the latents up to three times; sizes that stay whole waste nothing.
constexpr int64_t kEdgeStepLatents = 8;

}  // namespace

std::span<const Preset> preset_list() { return kPresets; }

SizePair scaled_size(const Model& model, double share) {
  const ModelDescription& description = model.description;
  const auto scaled = [share](int64_t native_px, int64_t step) {
    const auto steps = std::lround(static_cast<double>(native_px) * share / static_cast<double>(step));
    return std::max<int64_t>(1, steps) * step;
  };
  if (description.video.has_value()) {
    const ClipFacts own = clip_facts(*description.video);
    return {scaled(own.height, own.size_multiple_px), scaled(own.width, own.size_multiple_px)};
  }
  const int64_t edge = scaled(description.native_size_px, kEdgeStepLatents * description.latent_factor);
  return {edge, edge};
}

void settle_preset(RequestFields& fields, const Model& model) {
  if (fields.preset.empty()) return;
  const auto* const preset = std::find_if(kPresets.begin(), kPresets.end(),
                                          [&](const Preset& p) { return p.name == fields.preset; });
  if (preset == kPresets.end()) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no preset '{}'", fields.preset),
                "use draft, standard or high");
  }
  fields.preset.clear();
  if (!fields.steps.has_value()) fields.steps = preset->steps;
  if (!fields.sampler.has_value() && !model.description.video) fields.sampler = preset->sampler;
  // A picture to begin with has a size of its own.
  if (fields.width.has_value() || fields.height.has_value() || fields.image != nullptr) return;
  const SizePair size = scaled_size(model, preset->size);
  fields.height = size[0];
  fields.width = size[1];
}

}  // namespace snug
