#include "models/autoencoder_wan/config.h"

#include <algorithm>

#include <fmt/format.h>

namespace snug {
namespace {

std::vector<float> read_statistics(const ConfigReader& reader, std::string_view key, int64_t channels,
                                   NumberRange range) {
  std::vector<float> values;
  for (const double value : reader.numbers(key, range, static_cast<size_t>(channels)))
    values.push_back(static_cast<float>(value));
  return values;
}

}  // namespace

int64_t AutoencoderWanConfig::frame_factor() const {
  return int64_t{1} << std::count(halves_frames.begin(), halves_frames.end(), true);
}

AutoencoderWanConfig parse_autoencoder_wan_config(const ConfigText& text) {
  const ConfigReader reader(text);
  reader.require_only("_class_name", {R"("AutoencoderKLWan")"});
  reader.require_only("attn_scales", {"[]"});
  AutoencoderWanConfig config;
  config.latent_channels = reader.integer("z_dim", {1, 1024}, 16);
  config.encoder_channels = reader.integer("base_dim", kChannelRange, 96);
  config.decoder_channels = reader.integer("decoder_base_dim", kChannelRange, config.encoder_channels);
  if (reader.has("dim_mult")) config.multiples = reader.integers("dim_mult", {1, 64});
  if (reader.has("temperal_downsample")) {
    config.halves_frames = reader.booleans("temperal_downsample", config.multiples.size() - 1);
  } else if (config.multiples.size() != config.halves_frames.size() + 1) {
    reader.fail("temperal_downsample", "is absent");
  }
  config.layers = reader.integer("num_res_blocks", kLayerRange, 2);
  config.residual = reader.boolean("is_residual", false);
  config.patch = reader.integer("patch_size", {1, 16}, 1);
  for (const std::string_view key : {"in_channels", "out_channels"}) {
    const int64_t pixels = 3 * config.patch * config.patch;
    if (reader.integer(key, kChannelRange, pixels) != pixels)
      reader.fail(key, fmt::format("is not the {} of a picture in patches of {}", pixels, config.patch));
  }
  config.latents_mean = read_statistics(reader, "latents_mean", config.latent_channels, {-1e6, 1e6});
  config.latents_std = read_statistics(reader, "latents_std", config.latent_channels, {1e-6, 1e6});
  // Without shortcuts, the way up halves its channels at each level.
  for (const int64_t multiple : config.multiples) {
    if (!config.residual && multiple * config.decoder_channels % 2 != 0)
      reader.fail("base_dim", "gives levels of odd widths");
  }
  return config;
}

}  // namespace snug
