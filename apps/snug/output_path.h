// Where generate writes when it is not told exactly, and the removal of what a forced end may leave.
#pragma once

#include <string>

#include "pipeline/request.h"

namespace snug::cli {

// `given` as it is; in a folder, or when nothing is given, a name that no file has yet: snug-SEED.png, then
// snug-SEED-2.png and so on. The extension follows fields.format. Without `given` the folder is `folder`, or
// the current one when that is empty.
std::string output_path(const std::string& given, const std::string& folder, const RequestFields& fields);

// Removes what write_file_atomically has named but not yet renamed, in the folder of `path`, by this process.
// For the end by force, when the writer cannot. Never throws.
void remove_temporary_files(const std::string& path) noexcept;

}  // namespace snug::cli
