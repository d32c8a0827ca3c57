#include "weights/manifest_checkpoint.h"

#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "weights/diffusers_folder.h"
#include "weights/limited_json.h"
#include "weights/manifest.h"
#include "weights/single_file.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".json";
constexpr std::string_view kIndex = "index.json";
constexpr std::string_view kSingleFile = "single_file";

using FilesByPart = std::map<std::string, std::string>;  // "unet" or "single_file" → file name
using Models = std::map<std::string, FilesByPart>;       // by name; "" for files without one

// "sd15.unet.json" → "sd15" and "unet".
struct ManifestName {
  std::string model, part;
};
std::optional<ManifestName> split_name(std::string_view file) {
  if (!file.ends_with(kEnding)) return std::nullopt;
  file.remove_suffix(kEnding.size());
  const size_t dot = file.rfind('.');
  const std::string_view part = dot == std::string_view::npos ? file : file.substr(dot + 1);
  if (part != kSingleFile && !is_part_with_weights(part)) return std::nullopt;
  return ManifestName{std::string(file.substr(0, dot == std::string_view::npos ? 0 : dot)),
                      std::string(part)};
}

// A malformed entry is an error: the model would come out without a part that it has.
void read_index(const FileTree& tree, Models& models) {
  if (!tree.has(std::string(kIndex))) return;
  const auto source = tree.open(std::string(kIndex));
  const nlohmann::json index = read_json(*source);
  const auto fail = [&](const std::string& model) -> Error {
    return Error(ErrorCode::kBadConfig, fmt::format("the components of '{}' are not names of parts", model),
                 "correct the file")
        .in_file(source->name());
  };
  const auto listed = index.is_object() ? index.find("models") : index.end();
  if (listed == index.end() || !listed->is_object()) return;
  for (const auto& [name, model] : listed->items()) {
    const auto components = model.is_object() ? model.find("components") : model.end();
    if (components == model.end() || !components->is_object()) throw fail(name);
    FilesByPart files;
    bool all_there = true;
    for (const auto& [part, component] : components->items()) {
      if (!component.is_string() || !is_part_with_weights(part)) throw fail(name);
      const std::string file = component.get<std::string>() + std::string(kEnding);
      require_inside(tree.name(), file);
      files[part] = file;
      all_there = all_there && tree.has(file);
    }
    // A copy of the folder may hold some of the models alone.
    if (!all_there) continue;
    for (auto& [part, file] : files) models[name][part] = std::move(file);
  }
}

// What the index says of a model beside its components: numbers and flags as a model_index.json has them.
void read_settings(const FileTree& tree, const std::string& name, Checkpoint& checkpoint) {
  if (!tree.has(std::string(kIndex))) return;
  const nlohmann::json index = read_json(*tree.open(std::string(kIndex)));
  const auto listed = index.is_object() ? index.find("models") : index.end();
  if (listed == index.end() || !listed->is_object()) return;
  const auto model = listed->find(name);
  if (model == listed->end() || !model->is_object()) return;
  for (const auto& [key, value] : model->items()) {
    if (value.is_boolean()) checkpoint.flags[key] = value.get<bool>();
    if (value.is_number()) checkpoint.numbers[key] = value.get<double>();
  }
}

Models models_in(const FileTree& tree) {
  Models models;
  for (const std::string& file : tree.list("")) {
    if (const auto name = split_name(file)) models[name->model][name->part] = file;
  }
  read_index(tree, models);
  return models;
}

Checkpoint open_whole(const FileTree& tree, const std::string& file) {
  const auto source = tree.open(file);
  Manifest manifest = read_manifest(*source);
  FoundParts found =
      find_parts({absent_weights(source->name(), manifest.bytes), std::move(manifest.tensors), {}});
  Checkpoint checkpoint;
  checkpoint.unused = std::move(found.unused);
  for (auto& [part, contents] : found.parts) {
    checkpoint.parts[part].layout = std::move(contents.layout);
    checkpoint.parts[part].weights = std::move(contents.weights);
  }
  return checkpoint;
}

CheckpointPart open_part(const FileTree& tree, const std::string& file) {
  const auto source = tree.open(file);
  Manifest manifest = read_manifest(*source);
  CheckpointPart part;
  part.class_name = std::move(manifest.class_name);
  part.layout = "diffusers";
  // Without a configuration neither text nor file: what reads it infers one from the shapes.
  if (!manifest.config_text.empty()) part.config_file = source->name();
  part.config_text = std::move(manifest.config_text);
  part.weights = index_of_part(
      source->name(), {{absent_weights(source->name(), manifest.bytes), std::move(manifest.tensors), {}}});
  return part;
}

Checkpoint open_model(const FileTree& tree, const FilesByPart& files, bool prefer_whole) {
  const auto whole = files.find(std::string(kSingleFile));
  if (whole != files.end() && (prefer_whole || files.size() == 1)) return open_whole(tree, whole->second);
  Checkpoint checkpoint;
  for (const auto& [part, file] : files) {
    if (part != kSingleFile) checkpoint.parts[part] = open_part(tree, file);
  }
  return checkpoint;
}

// The one model of a folder.
Checkpoint open_only_model(const FileTree& tree) {
  const Models models = models_in(tree);
  if (models.empty()) {
    throw Error(ErrorCode::kMissingFile, "the folder has no manifest (NAME.unet.json and so on)",
                "name a folder of manifests, or FOLDER/NAME")
        .in_file(tree.name());
  }
  if (models.size() > 1) {
    std::vector<std::string> names;
    for (const auto& item : models) names.push_back(item.first.empty() ? "unet.json" : item.first);
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the folder has manifests of several models: {}", fmt::join(names, ", ")),
                fmt::format("name one of them: {}", path_in(tree.name(), names.front())))
        .in_file(tree.name());
  }
  Checkpoint checkpoint = open_model(tree, models.begin()->second, false);
  read_settings(tree, models.begin()->first, checkpoint);
  return checkpoint;
}

Checkpoint open_named(const FileTree& tree, const std::string& name) {
  // A file's own name means its model, but for a file that follows no pattern.
  const bool is_file = name.ends_with(kEnding) && tree.has(name);
  const auto split = split_name(is_file ? name : name + std::string(kEnding));
  if (is_file && !split) return open_whole(tree, name);
  const Models models = models_in(tree);
  const bool of_a_part = split.has_value() && !models.contains(name);
  const auto found = models.find(of_a_part ? split->model : name);
  const bool has_part = found != models.end() && (!of_a_part || found->second.contains(split->part));
  if (!has_part) {
    std::vector<std::string> names;
    for (const auto& item : models) names.push_back(item.first);
    throw Error(ErrorCode::kNotFound, fmt::format("there is no manifest {}.unet.json or the like", name),
                names.empty() ? std::string("check the path")
                              : fmt::format("the folder has those of {}", fmt::join(names, ", ")))
        .in_file(path_in(tree.name(), name));
  }
  Checkpoint checkpoint = open_model(tree, found->second, of_a_part && split->part == kSingleFile);
  read_settings(tree, found->first, checkpoint);
  return checkpoint;
}

}  // namespace

Checkpoint open_manifests(const std::string& path) {
  std::error_code ignored;
  Checkpoint checkpoint;
  if (fs::is_directory(path, ignored)) {
    checkpoint = open_only_model(*open_folder(path));
  } else {
    const fs::path split(path);
    const std::string folder = split.has_parent_path() ? split.parent_path().string() : ".";
    checkpoint = open_named(*open_folder(folder), split.filename().string());
  }
  checkpoint.kind = CheckpointKind::kSingleFile;
  checkpoint.name = path;
  return checkpoint;
}

}  // namespace snug
