// Opens a model as users have it: a diffusers folder, or a single safetensors or GGUF file. Says which
// parts are there, what the configuration files call them, and where every weight is; nothing is decided
// about architectures here (models/ does, from the class names, the configuration texts and the weights).
//
// Called by pipeline/ for the request's model and its --vae, and by `snug inspect`. The embedded model
// comes in as a FileTree like any folder. Opening reads headers and small texts only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_tree.h"
#include "weights/weight_index.h"

namespace snug {

enum class CheckpointKind { kFolder, kSingleFile };

// One entry of model_index.json, or one part found in a single file.
struct CheckpointPart {
  std::string library;      // "diffusers", "transformers"; empty in a single file
  std::string class_name;   // "UNet2DConditionModel", as the file says; empty when nothing says it
  std::string layout;       // how the weights were stored: "diffusers", "original", "clip", "open_clip", ...
  std::string config_text;  // config.json, scheduler_config.json, tokenizer_config.json; empty without one
  std::string config_file;  // its path, for messages
  std::shared_ptr<const WeightIndex> weights;  // null for schedulers, tokenizers and unneeded parts
};

struct Checkpoint {
  CheckpointKind kind = CheckpointKind::kFolder;
  std::string name;                       // as the user gave it: for messages
  std::shared_ptr<const FileTree> files;  // tokenizer and configuration files; null for a single file
  std::string pipeline_class;             // "StableDiffusionPipeline"; empty for a single file
  std::map<std::string, CheckpointPart>
      parts;                              // "unet", "vae", "text_encoder", "scheduler", "tokenizer", ...
  std::map<std::string, bool> flags;      // those of model_index.json: "force_zeros_for_empty_prompt"
  std::map<std::string, double> numbers;  // likewise: "boundary_ratio"
  std::map<std::string, std::string> metadata;  // of a single file
  std::vector<std::string> unused;              // stored names of a single file that no part took

  // Null when absent.
  const CheckpointPart* find(std::string_view part) const;
  // Throws missing_file when the checkpoint has no such part with weights.
  const CheckpointPart& require(std::string_view part) const;
};

// Throws not_found (no such path), missing_file (no model_index.json, a part's configuration or weights),
// pickle_refused with the conversion, bad_config, path_refused, unsupported_architecture (a single file
// without any known part), and what the file readers throw.
//
// A folder part is opened with its weights when it is one that Snug may need (unet, transformer, vae, text
// and image encoders); others (safety checker, ...) keep their class name only.
// `weights`: how the files of weights are read.
Checkpoint open_checkpoint(const std::string& path, FileAccess weights = {});
Checkpoint open_checkpoint(std::shared_ptr<const FileTree> files);

// "unet", "vae", "text_encoder" and so on: the parts that have weights which Snug may need.
bool is_part_with_weights(std::string_view part);

// One part from anywhere: a part's own folder (config.json beside the weights), a whole folder that has
// it, or a single file that has it. For --vae. Throws as open_checkpoint.
CheckpointPart open_checkpoint_part(const std::string& path, const std::string& part,
                                    FileAccess weights = {});

}  // namespace snug
