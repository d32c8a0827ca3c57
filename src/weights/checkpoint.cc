#include "weights/checkpoint.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "weights/diffusers_folder.h"
#include "weights/limited_json.h"
#include "weights/single_file.h"

namespace snug {
namespace {

constexpr const char* kModelIndex = "model_index.json";
constexpr uint64_t kMaxConfigBytes = 1 << 20;

constexpr std::array<std::string_view, 8> kPartsWithWeights = {
    "unet",         "transformer",    "transformer_2",  "vae",
    "text_encoder", "text_encoder_2", "text_encoder_3", "image_encoder",
};

std::string config_name(std::string_view part) {
  if (part == "scheduler") return "scheduler_config.json";
  if (part.starts_with("tokenizer")) return "tokenizer_config.json";
  if (part == "feature_extractor") return "preprocessor_config.json";
  return "config.json";
}

// The class that a part's own configuration names: diffusers writes "_class_name", transformers
// "architectures". Empty when the text is malformed, which models/ reports when it reads it.
std::string class_in_config(const std::string& text, const std::string& file) {
  nlohmann::json config;
  try {
    config = parse_json(text, file);
  } catch (const Error&) {
    return {};
  }
  if (!config.is_object()) return {};
  if (config.contains("_class_name") && config["_class_name"].is_string()) {
    return config["_class_name"].get<std::string>();
  }
  const auto architectures = config.find("architectures");
  const bool listed = architectures != config.end() && architectures->is_array() && !architectures->empty();
  if (listed && architectures->front().is_string()) return architectures->front().get<std::string>();
  return {};
}

// `folder` is the part's own, "" for the root.
void read_part(const FileTree& tree, const std::string& folder, const std::string& part,
               CheckpointPart& out) {
  const std::string config = path_in(folder, config_name(part));
  out.config_file = path_in(tree.name(), config);
  const bool weighted = is_part_with_weights(part);
  if (weighted || tree.has(config)) out.config_text = read_text(*tree.open(config), kMaxConfigBytes);
  if (!weighted) return;
  out.weights = open_folder_weights(tree, folder);
  out.layout = "diffusers";
}

// model_index.json: parts with library and class, null for those left out on purpose.
void read_model_index(const FileTree& tree, Checkpoint& checkpoint) {
  if (!tree.has(kModelIndex)) {
    const bool is_part = tree.has("config.json");
    throw Error(ErrorCode::kMissingFile, "the folder has no model_index.json",
                is_part ? "this is one part of a model: name the folder above it"
                        : "name a diffusers folder or a single .safetensors file")
        .in_file(tree.name());
  }
  const auto source = tree.open(kModelIndex);
  const nlohmann::json index = read_json(*source, {.bytes = kMaxConfigBytes, .depth = 8});
  if (!index.is_object() || !index.contains("_class_name") || !index["_class_name"].is_string()) {
    throw Error(ErrorCode::kBadConfig, "does not say which pipeline it is (_class_name)",
                "download the model again")
        .in_file(source->name());
  }
  checkpoint.pipeline_class = index["_class_name"].get<std::string>();
  for (const auto& [part, value] : index.items()) {
    if (value.is_boolean()) checkpoint.flags[part] = value.get<bool>();
    if (value.is_number()) checkpoint.numbers[part] = value.get<double>();
    const bool pair = value.is_array() && value.size() == 2 && value[0].is_string() && value[1].is_string();
    if (!pair) continue;
    CheckpointPart& entry = checkpoint.parts[part];
    entry.library = value[0].get<std::string>();
    entry.class_name = value[1].get<std::string>();
  }
}

Checkpoint open_single_file(const std::string& path, FileAccess weights) {
  const WeightFile file = read_weight_file(open_file(path, weights));
  Checkpoint checkpoint;
  checkpoint.kind = CheckpointKind::kSingleFile;
  checkpoint.name = path;
  checkpoint.metadata = file.metadata;
  FoundParts found = find_parts(file);
  checkpoint.unused = std::move(found.unused);
  for (auto& [part, contents] : found.parts) {
    checkpoint.parts[part].layout = std::move(contents.layout);
    checkpoint.parts[part].weights = std::move(contents.weights);
  }
  return checkpoint;
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    throw Error(ErrorCode::kNotFound, "there is no such model", "check the path, or see 'snug models'")
        .in_file(path);
  }
  return std::filesystem::is_directory(path, ignored);
}

}  // namespace

bool is_part_with_weights(std::string_view part) {
  return std::find(kPartsWithWeights.begin(), kPartsWithWeights.end(), part) != kPartsWithWeights.end();
}

const CheckpointPart* Checkpoint::find(std::string_view part) const {
  const auto found = parts.find(std::string(part));
  return found == parts.end() ? nullptr : &found->second;
}

const CheckpointPart& Checkpoint::require(std::string_view part) const {
  const CheckpointPart* found = find(part);
  if (found == nullptr || found->weights == nullptr) {
    throw Error(ErrorCode::kMissingFile, fmt::format("the model has no {}", part),
                "use a checkpoint that has all of its parts")
        .in_file(name);
  }
  return *found;
}

Checkpoint open_checkpoint(std::shared_ptr<const FileTree> files) {
  Checkpoint checkpoint;
  checkpoint.name = files->name();
  read_model_index(*files, checkpoint);
  for (auto& [part, contents] : checkpoint.parts) read_part(*files, part, part, contents);
  checkpoint.files = std::move(files);
  return checkpoint;
}

Checkpoint open_checkpoint(const std::string& path, FileAccess weights) {
  return is_folder(path) ? open_checkpoint(open_folder(path, weights)) : open_single_file(path, weights);
}

CheckpointPart open_checkpoint_part(const std::string& path, const std::string& part, FileAccess weights) {
  if (!is_folder(path)) return open_single_file(path, weights).require(part);
  const std::shared_ptr<const FileTree> files = open_folder(path, weights);
  CheckpointPart out;
  read_part(*files, files->has(kModelIndex) ? part : "", part, out);
  out.class_name = class_in_config(out.config_text, out.config_file);
  return out;
}

}  // namespace snug
