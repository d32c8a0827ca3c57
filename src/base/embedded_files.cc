#include "base/embedded_files.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"

namespace snug {
namespace {

class MemoryTree final : public FileTree {
 public:
  MemoryTree(std::string name, std::span<const EmbeddedFile> files) : name_(std::move(name)) {
    for (const EmbeddedFile& file : files) {
      require_inside(name_, std::string(file.path));
      files_.emplace(file.path, file.bytes);
    }
  }
  const std::string& name() const override { return name_; }

  bool has(const std::string& relative) const override { return files_.contains(key(relative)); }

  std::unique_ptr<ByteSource> open(const std::string& relative) const override {
    const auto found = files_.find(key(relative));
    if (found == files_.end()) {
      throw Error(ErrorCode::kMissingFile, fmt::format("the model has no {}", relative),
                  "use a complete model")
          .in_file(name_);
    }
    return view_memory(fmt::format("{}/{}", name_, found->first), found->second);
  }

  std::vector<std::string> list(const std::string& folder) const override {
    const std::string prefix = folder.empty() ? std::string() : key(folder) + "/";
    std::vector<std::string> names;
    for (auto file = files_.lower_bound(prefix); file != files_.end(); ++file) {
      if (!file->first.starts_with(prefix)) break;
      std::string rest = file->first.substr(prefix.size());
      if (rest.find('/') == std::string::npos) names.push_back(std::move(rest));
    }
    return names;  // sorted, because the map is
  }

 private:
  // "./unet//config.json" and "unet/config.json" are one file, as they are on disk.
  std::string key(const std::string& relative) const {
    require_inside(name_, relative);
    std::string normal = std::filesystem::path(relative).lexically_normal().generic_string();
    if (normal.ends_with('/')) normal.pop_back();
    return normal;
  }

  std::string name_;
  std::map<std::string, std::span<const std::byte>> files_;
};

}  // namespace

std::unique_ptr<FileTree> view_files(std::string name, std::span<const EmbeddedFile> files) {
  return std::make_unique<MemoryTree>(std::move(name), files);
}

}  // namespace snug
