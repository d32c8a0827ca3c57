#include "apps/snug/find_model.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "models/embedded_model.h"
#include "weights/file_format.h"

namespace snug::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::array<const char*, 2> kExtensions = {".safetensors", ".gguf"};

bool is_weight_file(const fs::path& path) {
  const std::string extension = path.extension().string();
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end() ||
         has_pickle_extension(path.string());
}

}  // namespace

std::string find_model(const std::string& wanted, const Configuration& configuration) {
  std::error_code ignored;
  if (wanted.empty() || wanted == kEmbeddedModelName || fs::exists(wanted, ignored)) return wanted;
  const bool is_name = wanted.find('/') == std::string::npos;
  if (!is_name) return wanted;
  for (const std::string& folder : configuration.model_folders) {
    const fs::path path = fs::path(folder) / wanted;
    if (fs::exists(path, ignored)) return path.string();
    for (const char* extension : kExtensions) {
      fs::path with_extension = path;
      with_extension += extension;
      if (fs::exists(with_extension, ignored)) return with_extension.string();
    }
  }
  return wanted;
}

void fill_in_defaults(const Configuration& configuration, RequestFields& fields) {
  if (!fields.preset.empty() || fields.time_seconds.has_value()) return;
  if (!fields.steps.has_value() && configuration.default_steps > 0)
    fields.steps = configuration.default_steps;
  if (!fields.sampler.has_value() && !configuration.default_sampler.empty())
    fields.sampler = configuration.default_sampler;
}

std::vector<std::string> models_in(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
    std::error_code ignored;
    const bool is_model = entry.is_directory(ignored)
                              ? fs::exists(entry.path() / "model_index.json", ignored)
                              : entry.is_regular_file(ignored) && is_weight_file(entry.path());
    if (is_model) found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace snug::cli
