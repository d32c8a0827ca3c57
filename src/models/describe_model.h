// From an opened checkpoint to everything that a request needs to know of the model: the architecture, the
// configuration of each part, the facts that follow from them. Called by pipeline/ for a request and by
// `snug inspect`. Configurations come from config files where there are any, else from tensor names and
// shapes; what the files leave open is filled with what published models have, and said in `assumptions`.
// Whether every tensor is there in its shape is checked by building the graphs (model_graphs.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/file_tree.h"
#include "models/autoencoder_kl/config.h"
#include "models/autoencoder_tiny/config.h"
#include "models/clip_text/config.h"
#include "models/model_list.h"
#include "models/unet/config.h"
#include "weights/checkpoint.h"

namespace snug {

using VaeConfig = std::variant<AutoencoderKlConfig, AutoencoderTinyConfig>;

struct ModelDescription {
  const Architecture* architecture = nullptr;  // never null; a row of model_list()
  std::string title;                           // "Stable Diffusion 1.x", for people
  std::string name;                            // the checkpoint's, for messages

  ClipTextConfig text;
  UnetConfig unet;
  VaeConfig vae;
  std::shared_ptr<const WeightIndex> text_weights, unet_weights, vae_weights;  // never null

  int64_t latent_channels = 4;
  int64_t latent_factor = 8;             // pixels per latent along each side
  float scaling_factor = 1;              // the UNet's latents are this times the autoencoder's
  int64_t native_size_px = 512;          // height and width of the training pictures
  ConfigText scheduler;                  // scheduler_config.json; empty text where there is none
  std::string prediction_type;           // "epsilon", "v_prediction", "sample"
  std::vector<std::string> assumptions;  // sentences, empty when the files say everything
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

// Whether the text encoder has a row for every id of the tokenizer, and chunks of its length. Throws
// shape_mismatch.
void check_tokenizer(const ModelDescription& model, int64_t largest_id, int64_t chunk_tokens);

}  // namespace snug
