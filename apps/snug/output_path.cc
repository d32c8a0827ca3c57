#include "apps/snug/output_path.h"

#include <unistd.h>

#include <filesystem>

#include <fmt/format.h>

namespace snug::cli {
namespace fs = std::filesystem;
namespace {

std::string extension_of(const RequestFields& fields) {
  if (!fields.format.has_value()) return "png";
  return *fields.format == "jpeg" ? "jpg" : *fields.format;
}

// Whether a run would replace a file: the path itself, or one of a batch's numbered paths (write_media.h).
bool is_taken(const fs::path& folder, const std::string& stem, const std::string& extension,
              const RequestFields& fields) {
  std::error_code ignored;
  const bool single = fields.batch.value_or(1) <= 1 || fields.only_index.has_value();
  if (single) return fs::exists(folder / fmt::format("{}.{}", stem, extension), ignored);
  // As far as a batch may go is checked later; the first tells enough.
  return fs::exists(folder / fmt::format("{}-1.{}", stem, extension), ignored);
}

}  // namespace

std::string output_path(const std::string& given, const std::string& folder, const RequestFields& fields) {
  std::error_code ignored;
  if (!given.empty() && !fs::is_directory(given, ignored)) return given;
  const fs::path place = given.empty() ? fs::path(folder) : fs::path(given);
  const std::string extension = extension_of(fields);
  const uint64_t seed = fields.seed.value_or(0) + static_cast<uint64_t>(fields.only_index.value_or(0));
  const std::string first = fmt::format("snug-{}", seed);
  std::string stem = first;
  for (int number = 2; is_taken(place, stem, extension, fields); ++number) {
    stem = fmt::format("{}-{}", first, number);
  }
  return (place / fmt::format("{}.{}", stem, extension)).string();
}

void remove_temporary_files(const std::string& path) noexcept {
  try {
    if (path.empty()) return;
    const std::string prefix = fmt::format(".snug-{}-", ::getpid());
    fs::path folder = fs::path(path).parent_path();
    if (folder.empty()) folder = ".";
    std::error_code failed;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
      if (entry.path().filename().string().starts_with(prefix)) fs::remove(entry.path(), failed);
    }
  } catch (const std::exception&) {
    // The process ends now; a hidden file is all that stays.
  }
}

}  // namespace snug::cli
