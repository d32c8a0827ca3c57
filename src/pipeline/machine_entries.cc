#include "pipeline/machine_entries.h"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/log.h"
#include "media/atomic_file.h"
#include "weights/limited_json.h"

namespace snug {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr JsonLimits kLimits = {.bytes = 1 << 20, .depth = 8};
// The newest are kept: a folder shared by many machines does not grow for ever.
constexpr size_t kMostEntries = 64;

}  // namespace

std::string cache_path(const std::string& name) {
  // The XDG specification: a relative folder counts as unset.
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fmt::format("{}/snug/{}", cache, name);
  const char* const home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? std::string() : fmt::format("{}/.cache/snug/{}", home, name);
}

json read_machine_entries(const MachineFile& file) {
  std::error_code ignored;
  if (file.path.empty() || !fs::exists(file.path, ignored)) return json::array();
  try {
    const json root = read_json(*open_file(file.path), kLimits);
    const bool ours = root.is_object() && root.contains("version") && root["version"] == file.version &&
                      root.contains("machines") && root["machines"].is_array();
    if (ours) return root["machines"];
    log::warn("{}: is not of version {} of this file and is ignored", file.path, file.version);
  } catch (const std::exception& error) {
    log::warn("{} are ignored: {}", file.what, error.what());
  }
  return json::array();
}

void prepare_machine_file(const MachineFile& file) {
  if (file.path.empty()) {
    throw Error(ErrorCode::kIoError, fmt::format("there is no home folder to keep {} in", file.what),
                "set HOME or XDG_CACHE_HOME");
  }
  std::error_code failed;
  fs::create_directories(fs::path(file.path).parent_path(), failed);
  if (failed) {
    throw Error(ErrorCode::kIoError, fmt::format("its folder cannot be made: {}", failed.message()),
                "set XDG_CACHE_HOME to a folder that you may write to")
        .in_file(file.path);
  }
  check_output_path(file.path);
}

void write_machine_entry(const MachineFile& file, const json& entry,
                         const std::function<bool(const json&)>& replaces) {
  prepare_machine_file(file);
  json entries = json::array();
  entries.push_back(entry);
  for (const json& other : read_machine_entries(file)) {
    if (entries.size() < kMostEntries && other.is_object() && !replaces(other)) entries.push_back(other);
  }
  const json root = {{"version", file.version}, {"machines", std::move(entries)}};
  const std::string text = root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  write_file_atomically(file.path, std::as_bytes(std::span(text)));
}

}  // namespace snug
