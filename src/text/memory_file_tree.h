// A FileTree of texts in memory, for the tests and fuzz targets of this folder: tokenizer files that no
// folder on disk holds.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_tree.h"

namespace snug::testing {

class MemoryFileTree final : public FileTree {
 public:
  explicit MemoryFileTree(std::map<std::string, std::string> files) : files_(std::move(files)) {}

  const std::string& name() const override { return name_; }
  bool has(const std::string& relative) const override {
    require_inside(name_, relative);
    return files_.contains(relative);
  }
  // The source views the tree's text and must not outlive it.
  std::unique_ptr<ByteSource> open(const std::string& relative) const override {
    if (!has(relative)) throw Error(ErrorCode::kMissingFile, "is not there").in_file(relative);
    return view_memory(relative, std::as_bytes(std::span(files_.at(relative))));
  }
  std::vector<std::string> list(const std::string& folder) const override {
    std::vector<std::string> names;
    const std::string prefix = folder.empty() ? "" : folder + "/";
    for (const auto& [path, text] : files_) {
      if (path.starts_with(prefix) && path.find('/', prefix.size()) == std::string::npos) {
        names.push_back(path.substr(prefix.size()));
      }
    }
    return names;
  }

 private:
  std::string name_ = "memory";
  std::map<std::string, std::string> files_;
};

}  // namespace snug::testing
