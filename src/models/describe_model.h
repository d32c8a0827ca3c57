// From an opened checkpoint to everything that a request needs to know of the model: the architecture, the
// configuration of each part, the facts that follow from them. Called by pipeline/ for a request and by
// `snug inspect`. Configurations come from config files where there are any, else from tensor names and
// shapes; what the files leave open is filled with what published models have, and said in `assumptions`.
// Whether every tensor is there in its shape is checked by building the graphs (model_graphs.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/file_tree.h"
#include "models/autoencoder_kl/config.h"
#include "models/autoencoder_tiny/config.h"
#include "models/model_list.h"
#include "models/text_encoder.h"
#include "models/unet/config.h"
#include "models/video_model.h"
#include "weights/checkpoint.h"

namespace snug {

using VaeConfig = std::variant<AutoencoderKlConfig, AutoencoderTinyConfig>;

struct ModelDescription {
  const Architecture* architecture = nullptr;  // never null; a row of model_list()
  std::string title;                           // "Stable Diffusion 1.x", for people
  std::string name;                            // the checkpoint's, for messages

  // Of a video model, which then has none of the four members behind it, and unet_weights are its first
  // expert's.
  std::optional<VideoModel> video;
  std::vector<TextEncoder> text_encoders;  // not empty; of as many positions each
  UnetConfig unet;
  VaeConfig vae;
  std::shared_ptr<const WeightIndex> unet_weights, vae_weights;  // never null

  // No negative prompt is not the same as an empty one: the model then takes zeros in place of a text.
  bool zeros_without_negative = false;
  int64_t latent_channels = 4;
  int64_t latent_factor = 8;             // pixels per latent along each side
  float scaling_factor = 1;              // the UNet's latents are this times the autoencoder's
  int64_t native_size_px = 512;          // height and width of the training pictures
  ConfigText scheduler;                  // scheduler_config.json; empty text where there is none
  std::string prediction_type;           // "epsilon", "v_prediction", "sample"
  std::vector<std::string> assumptions;  // sentences, empty when the files say everything

  // Of one chunk; of a video model, all.
  int64_t text_positions() const {
    return video ? video->text_length : text_encoders.front().config.positions;
  }
  int64_t text_channels() const;    // of a position in the conditioning: all encoders' states
  int64_t pooled_channels() const;  // of a prompt's vector; 0: the model takes none
};

struct DescribeOptions {
  // Configuration files for a checkpoint that has none (--model-config): unet/config.json and so on, as in a
  // diffusers folder. Null: none.
  std::shared_ptr<const FileTree> configs;
  // An autoencoder in place of the checkpoint's (--vae). Null: the checkpoint's own.
  const CheckpointPart* vae = nullptr;
};

// Throws unsupported_architecture (a pipeline, class, block or setting that Snug lacks), bad_config
// (malformed, out of range, or parts that contradict each other), missing_file (a part is absent),
// missing_tensor.
ModelDescription describe_model(const Checkpoint& checkpoint, const DescribeOptions& options = {});

// Whether the text encoder has a row for every id of its tokenizer, and chunks of its length. Throws
// shape_mismatch naming the model.
void check_tokenizer(const ModelDescription& model, const TextEncoder& encoder, int64_t largest_id,
                     int64_t chunk_tokens);

}  // namespace snug
