#include "base/file_tree.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace fs = std::filesystem;
namespace {

class DiskTree final : public FileTree {
 public:
  DiskTree(std::string path, FileAccess weights) : path_(std::move(path)), weights_(weights) {}
  const std::string& name() const override { return path_; }

  bool has(const std::string& relative) const override {
    require_inside(path_, relative);
    std::error_code ignored;
    return fs::is_regular_file(fs::path(path_) / relative, ignored);
  }

  std::unique_ptr<ByteSource> open(const std::string& relative) const override {
    require_inside(path_, relative);
    const std::string full = (fs::path(path_) / relative).string();
    std::error_code ignored;
    if (!fs::exists(full, ignored)) {
      throw Error(ErrorCode::kMissingFile, fmt::format("the model folder has no {}", relative),
                  "download the model again, with all of its files")
          .in_file(full);
    }
    const bool weights = relative.ends_with(".safetensors") || relative.ends_with(".gguf");
    return open_file(full, weights ? weights_ : FileAccess{});
  }

  std::vector<std::string> list(const std::string& folder) const override {
    if (!folder.empty()) require_inside(path_, folder);
    std::vector<std::string> names;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(fs::path(path_) / folder, failed)) {
      std::error_code ignored;
      if (entry.is_regular_file(ignored)) names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::string path_;
  FileAccess weights_;
};

}  // namespace

void require_inside(const std::string& tree_name, const std::string& relative) {
  const fs::path path(relative);
  bool inside = !relative.empty() && path.is_relative() && relative.find('\0') == std::string::npos;
  for (const auto& part : path) inside = inside && part != "..";
  if (!inside) {
    throw Error(ErrorCode::kPathRefused, fmt::format("the name '{}' leads out of the model folder", relative),
                "use a model from a source that you trust")
        .in_file(tree_name);
  }
}

std::unique_ptr<FileTree> open_folder(const std::string& path, FileAccess weights) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    throw Error(ErrorCode::kNotFound, "there is no such folder", "check the path").in_file(path);
  }
  return std::make_unique<DiskTree>(path, weights);
}

}  // namespace snug
