#include "models/autoencoder_tiny/config.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

// One width for all levels of one side: its convolutions between levels keep the number of channels.
int64_t parse_width(const ConfigReader& reader, std::string_view key, size_t levels) {
  const std::vector<int64_t> channels = reader.integers(key, kChannelRange, levels);
  const bool equal =
      std::all_of(channels.begin(), channels.end(), [&](int64_t c) { return c == channels.front(); });
  if (!equal) reader.refuse(key, "levels of different widths are not implemented");
  return channels.front();
}

int64_t extent(const WeightScope& w, std::string_view tensor, int axis) {
  const Shape shape = w.require(tensor).shape;
  if (shape.rank() != 4 || shape[axis] < 1 || shape[axis] > kChannelRange.most) {
    throw Error(ErrorCode::kUnsupportedArchitecture,
                fmt::format("{} has shape {}, which no known tiny autoencoder has", tensor, shape.text()),
                "give the folder of its config file with --model-config")
        .in_file(w.source().name());
  }
  return shape[axis];
}

bool is_block(const WeightScope& layers, int64_t position) {
  return layers.has(fmt::format("{}.conv.0.weight", position));
}

// Blocks of each level, from a list of layers that has `between` layers between two levels.
std::vector<int64_t> count_blocks(const WeightScope& layers, int64_t position, int64_t between) {
  std::vector<int64_t> levels;
  while (levels.size() < kMostLevels && is_block(layers, position)) {
    int64_t blocks = 0;
    for (; blocks < kLayerRange.most && is_block(layers, position); ++position) ++blocks;
    levels.push_back(blocks);
    position += between;
  }
  return levels;
}

}  // namespace

AutoencoderTinyConfig parse_autoencoder_tiny_config(const ConfigText& text) {
  const ConfigReader reader(text);
  reader.require_only("_class_name", {R"("AutoencoderTiny")"});
  reader.require_only("act_fn", {R"("relu")"});
  reader.require_only("upsample_fn", {R"("nearest")"});
  reader.require_only("upsampling_scaling_factor", {"2"});
  reader.require_only("shift_factor", {"0"});
  AutoencoderTinyConfig config;
  config.in_channels = reader.integer("in_channels", {3, 3}, 3);
  config.out_channels = reader.integer("out_channels", {3, 3}, 3);
  config.latent_channels = reader.integer("latent_channels", {1, 1024}, 4);
  config.encoder_blocks = reader.integers("num_encoder_blocks", kLayerRange);
  config.decoder_blocks = reader.integers("num_decoder_blocks", kLayerRange, config.encoder_blocks.size());
  config.encoder_channels = parse_width(reader, "encoder_block_out_channels", config.encoder_blocks.size());
  config.decoder_channels = parse_width(reader, "decoder_block_out_channels", config.decoder_blocks.size());
  config.scaling_factor = static_cast<float>(reader.number("scaling_factor", {1e-6, 1e6}, 1));
  return config;
}

AutoencoderTinyConfig infer_autoencoder_tiny_config(const WeightScope& w) {
  AutoencoderTinyConfig config;
  config.latent_channels = extent(w, "decoder.layers.0.weight", 1);
  config.decoder_channels = extent(w, "decoder.layers.0.weight", 0);
  config.encoder_channels = extent(w, "encoder.layers.0.weight", 0);
  // Encoder: convolution, blocks, then a strided convolution before each further level. Decoder: convolution,
  // ReLU, blocks, then doubling and a convolution.
  config.encoder_blocks = count_blocks(w.sub("encoder.layers"), 1, 1);
  config.decoder_blocks = count_blocks(w.sub("decoder.layers"), 2, 2);
  if (config.encoder_blocks.empty() || config.encoder_blocks.size() != config.decoder_blocks.size()) {
    throw Error(ErrorCode::kUnsupportedArchitecture, "encoder and decoder have different numbers of levels",
                "give the folder of its config file with --model-config")
        .in_file(w.source().name());
  }
  return config;
}

}  // namespace snug
