// A folder of files read by relative name: on disk, or the model embedded in the program.
// Model loading goes through it so that the embedded model is loaded by the same code as any other.
// Names that leave the folder ("../x", absolute paths) throw path_refused.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/byte_source.h"

namespace snug {

class FileTree {
 public:
  virtual ~FileTree() = default;
  // For messages: the folder's path, or a description.
  virtual const std::string& name() const = 0;
  virtual bool has(const std::string& relative) const = 0;
  // Throws missing_file when absent, path_refused when `relative` leaves the folder.
  virtual std::unique_ptr<ByteSource> open(const std::string& relative) const = 0;
  // File names (not folders) directly inside `folder` ("" is the root), sorted; empty if it is absent.
  virtual std::vector<std::string> list(const std::string& folder) const = 0;
};

// `weights`: how files of weights (.safetensors, .gguf) in it are opened. Throws not_found when `path` is not
// a folder.
std::unique_ptr<FileTree> open_folder(const std::string& path, FileAccess weights = {});

// Throws path_refused unless `relative` is a plain relative path inside its folder.
void require_inside(const std::string& tree_name, const std::string& relative);

}  // namespace snug
