#include "pipeline/lora_folder.h"

#include <algorithm>
#include <filesystem>

namespace snug {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kExtension = ".safetensors";
// Deep enough for any collection, and an end to one that a mistake has made endless.
constexpr int kMostDepth = 8;

}  // namespace

std::vector<ListedLora> loras_in(const std::string& folder) {
  std::vector<ListedLora> loras;
  if (folder.empty()) return loras;
  std::error_code failed;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, failed);
  for (; !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    if (at.depth() >= kMostDepth) at.disable_recursion_pending();
    std::error_code unreadable;
    if (at->path().extension() != kExtension || !at->is_regular_file(unreadable)) continue;
    const uintmax_t bytes = at->file_size(unreadable);
    if (unreadable) continue;
    fs::path name = at->path().lexically_relative(folder);
    name.replace_extension();
    loras.push_back({name.generic_string(), bytes});
  }
  std::sort(loras.begin(), loras.end(),
            [](const ListedLora& a, const ListedLora& b) { return a.name < b.name; });
  return loras;
}

}  // namespace snug
