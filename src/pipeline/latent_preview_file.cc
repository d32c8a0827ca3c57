#include "pipeline/latent_preview_file.h"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "pipeline/machine_entries.h"

namespace snug {
namespace {

using nlohmann::json;

MachineFile file_at(const std::string& path) { return {path, 1, "projections for previews"}; }

bool is_of(const json& entry, const std::string& identity) {
  return entry.is_object() && entry.value("model", json()) == identity;
}

std::optional<ProjectionSums> read_entry(const json& entry, int64_t channels) {
  const json pictures = entry.value("pictures", json());
  const json list = entry.value("sums", json());
  if (entry.value("channels", json()) != channels || !pictures.is_number_integer() || !list.is_array()) {
    return std::nullopt;
  }
  std::vector<double> numbers;
  for (const json& number : list) {
    if (!number.is_number()) return std::nullopt;
    numbers.push_back(number.get<double>());
  }
  return ProjectionSums::from_numbers(channels, pictures.get<int64_t>(), std::move(numbers));
}

}  // namespace

std::string latent_previews_path() { return cache_path("latent_previews.json"); }

std::optional<ProjectionSums> load_projection_sums(const std::string& path, const std::string& identity,
                                                   int64_t channels) {
  for (const json& entry : read_machine_entries(file_at(path))) {
    if (!is_of(entry, identity)) continue;
    std::optional<ProjectionSums> sums = read_entry(entry, channels);
    if (!sums) log::warn("{}: what it says of a model is no sums, and is ignored", path);
    return sums;
  }
  return std::nullopt;
}

void keep_projection_sums(const std::string& path, const std::string& identity, const ProjectionSums& sums) {
  if (path.empty()) return;
  const json entry = {{"model", identity},
                      {"channels", sums.channels()},
                      {"pictures", sums.pictures()},
                      {"sums", std::vector<double>(sums.numbers().begin(), sums.numbers().end())}};
  try {
    write_machine_entry(file_at(path), entry, [&](const json& other) { return is_of(other, identity); });
  } catch (const Error& error) {
    log::warn("what was learned for previews is not kept: {}", error.what());
  }
}

}  // namespace snug
