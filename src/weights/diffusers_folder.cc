#include "weights/diffusers_folder.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "weights/file_format.h"
#include "weights/limited_json.h"

namespace snug {
namespace {

// In order of preference: full precision before half, one file before shards.
constexpr std::array<std::string_view, 2> kStems = {"diffusion_pytorch_model", "model"};
constexpr std::array<std::string_view, 8> kEndings = {
    ".safetensors",
    ".safetensors.index.json",
    ".fp16.safetensors",
    ".safetensors.index.fp16.json",
    ".bf16.safetensors",
    ".safetensors.index.bf16.json",
    ".gguf",
    ".Q8_0.gguf",
};

constexpr size_t kMostShards = 1024;

std::string find_weights(const FileTree& tree, const std::string& folder) {
  for (const std::string_view ending : kEndings) {
    for (const std::string_view stem : kStems) {
      const std::string path = path_in(folder, fmt::format("{}{}", stem, ending));
      if (tree.has(path)) return path;
    }
  }
  // Under a name of its own, as quantised files are published: taken where there is no choice.
  std::string only;
  for (const std::string& file : tree.list(folder)) {
    if (!file.ends_with(".gguf") && !file.ends_with(".safetensors")) continue;
    if (!only.empty()) return {};
    only = file;
  }
  return only.empty() ? only : path_in(folder, only);
}

[[noreturn]] void report_absent(const FileTree& tree, const std::string& folder) {
  const std::vector<std::string> files = tree.list(folder);
  const auto pickle = std::find_if(files.begin(), files.end(), has_pickle_extension);
  const std::string place = path_in(tree.name(), folder);
  if (pickle != files.end()) refuse_pickle(path_in(place, *pickle));
  throw Error(ErrorCode::kMissingFile,
              "the weights (diffusion_pytorch_model.safetensors, model.safetensors, or one file of any name "
              "that ends in .gguf or .safetensors) are absent",
              "download the model again, with all of its files")
      .in_file(place);
}

// Shard file by tensor name, from "weight_map".
std::map<std::string, std::string> read_weight_map(const FileTree& tree, const std::string& path) {
  const auto source = tree.open(path);
  const nlohmann::json index = read_json(*source, {.bytes = 16 << 20, .depth = 8});
  const auto fail = [&](const char* problem) -> Error {
    return Error(ErrorCode::kBadConfig, problem, "download the model again").in_file(source->name());
  };
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw fail("has no weight_map");
  }
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    if (!file.is_string()) throw fail("maps a tensor to something that is no file name");
    shard_of.emplace(tensor, file.get<std::string>());
  }
  return shard_of;
}

std::vector<WeightFile> open_shards(const FileTree& tree, const std::string& folder,
                                    const std::string& path) {
  const auto shard_of = read_weight_map(tree, path);
  std::set<std::string> names;
  for (const auto& item : shard_of) names.insert(item.second);
  if (names.size() > kMostShards) {
    throw Error(ErrorCode::kBadConfig, fmt::format("names {} files", names.size()))
        .in_file(path_in(tree.name(), path));
  }
  // Before anything is opened, and against the part's own folder: "../vae/x" leaves it too.
  for (const std::string& name : names) require_inside(path_in(tree.name(), folder), name);
  std::vector<WeightFile> shards;
  std::set<std::string_view> stored;
  for (const std::string& name : names) shards.push_back(read_weight_file(tree.open(path_in(folder, name))));
  for (const WeightFile& shard : shards) {
    for (const StoredTensor& tensor : shard.tensors) stored.insert(tensor.name);
  }
  for (const auto& [tensor, file] : shard_of) {
    if (!stored.contains(tensor)) {
      throw Error(ErrorCode::kMissingTensor,
                  fmt::format("the shard index places it in {}, which lacks it", file),
                  "download the model again")
          .in_file(path_in(tree.name(), path))
          .in_tensor(tensor);
    }
  }
  return shards;
}

}  // namespace

std::string path_in(const std::string& folder, const std::string& file) {
  if (folder.empty()) return file;
  if (file.empty()) return folder;
  return folder + "/" + file;
}

std::shared_ptr<const WeightIndex> index_of_part(const std::string& name,
                                                 const std::vector<WeightFile>& files) {
  auto index = std::make_shared<WeightIndex>(name);
  // Some names alone tell the layout, and they may be in another file than a tensor of theirs.
  const auto any = [&](const auto& tells) {
    return std::any_of(files.begin(), files.end(), [&](const WeightFile& file) {
      return std::any_of(file.tensors.begin(), file.tensors.end(),
                         [&](const StoredTensor& tensor) { return tells(std::string_view(tensor.name)); });
    });
  };
  // A text encoder may lack its prefix.
  const bool clip = any([](std::string_view tensor) {
    return tensor.starts_with("text_model.") || tensor.starts_with("encoder.layers.0.self_attn.q_proj.");
  });
  const auto map = clip ? map_clip : any(is_original_wan) ? map_original_wan : map_diffusers;
  for (const WeightFile& file : files) index->add(file.source, file.tensors, map(file.tensors));
  return index;
}

std::shared_ptr<const WeightIndex> open_folder_weights(const FileTree& tree, const std::string& folder) {
  const std::string path = find_weights(tree, folder);
  if (path.empty()) report_absent(tree, folder);
  std::vector<WeightFile> files;
  if (path.ends_with(".json")) {
    files = open_shards(tree, folder, path);
  } else {
    files.push_back(read_weight_file(tree.open(path)));
  }
  return index_of_part(path_in(tree.name(), path), files);
}

}  // namespace snug
