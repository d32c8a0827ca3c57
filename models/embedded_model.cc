#include "models/embedded_model.h"

#include <span>
#include <string>

#include "base/embedded_files.h"

namespace snug {

// Made from models/tiny-landscapes by cmake/embed.cmake.
std::span<const EmbeddedFile> tiny_landscapes_files();

std::shared_ptr<const FileTree> embedded_model() {
  return view_files("embedded:" + std::string(kEmbeddedModelName), tiny_landscapes_files());
}

}  // namespace snug
