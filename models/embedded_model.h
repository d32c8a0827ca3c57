// The model that is part of the program: what is used when a request names none. It is a diffusers folder
// like any other, read through FileTree by the same loader; only its bytes lie in the program's read-only
// data instead of on disk. Link snug_embedded_model to use it.
#pragma once

#include <memory>
#include <string_view>

#include "base/file_tree.h"

namespace snug {

// The name by which a user asks for it.
inline constexpr std::string_view kEmbeddedModelName = "tiny-landscapes";

// The tree points into the program itself and lives as long as the caller keeps it.
std::shared_ptr<const FileTree> embedded_model();

}  // namespace snug
