// A FileTree over bytes that are already in memory: the model linked into the program, or a tree that a
// test makes up. The table of files comes from whoever holds the bytes (models/embedded_model.h for the
// program's own model); how a model is read from the tree is the loader's matter.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file_tree.h"

namespace snug {

struct EmbeddedFile {
  std::string_view path;  // relative to the tree's root, parts separated by '/'
  std::span<const std::byte> bytes;
};

// The table is copied; the bytes and paths that it points to must outlive the tree. `name` is for messages.
// Safe to read from several threads at once. Paths that leave the tree throw path_refused, as on disk.
std::unique_ptr<FileTree> view_files(std::string name, std::span<const EmbeddedFile> files);

}  // namespace snug
