// The page's files, built from web/src by Vite and embedded by cmake/web.cmake: index.html and what it names.
// Called by `snug serve`, which hands them to static_routes(). Link snug_page.
#pragma once

#include <span>

#include "base/embedded_files.h"

namespace snug {

// Paths and bytes lie in the program itself. No file's name says its version: they are for ETags.
std::span<const EmbeddedFile> page_files();

}  // namespace snug
