#include "bench/memory_setup.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/units.h"
#include "bench/memory_runs.h"
#include "pipeline/rates_file.h"
#include "weights/checkpoint.h"

namespace snug::bench {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPieceBytes = 4 * kMiB;

bool opens(const std::string& model) {
  if (!fs::exists(model)) return false;
  try {
    static_cast<void>(weight_files(model));
    return true;
  } catch (const Error& error) {
    std::fprintf(stderr, "memory_bench: %s: written anew\n", error.what());
    return false;
  }
}

}  // namespace

std::string bench_folder() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  std::string folder;
  if (cache != nullptr && cache[0] == '/') {
    folder = cache;
  } else if (home != nullptr && home[0] == '/') {
    folder = std::string(home) + "/.cache";
  } else {
    throw Error(ErrorCode::kNotFound, "there is no home folder", "set XDG_CACHE_HOME");
  }
  folder += "/snug/bench";
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) {
    throw Error(ErrorCode::kIoError, "cannot be made: " + failed.message(), "set XDG_CACHE_HOME")
        .in_file(folder);
  }
  return folder;
}

std::string sd15_checkpoint(const std::string& folder) {
  std::string model = folder + "/sd15";
  if (opens(model)) return model;
  fs::remove_all(model);
  const std::string partial = fmt::format("{}.partial.{}", model, ::getpid());
  std::fprintf(stderr, "memory_bench: writing a full-size checkpoint to %s\n", model.c_str());
  testing::ProgramOptions options;
  options.program = SNUG_WRITE_CHECKPOINT;
  const std::string manifest = std::string(SNUG_SOURCE_DIR) + "/tests/fixtures/manifests/sd15";
  const auto result = testing::run_program(
      {"--manifest", manifest, "--output", partial, "--dtype", "f16", "--quiet"}, options);
  if (result.exit_code != 0) {
    std::fputs(result.err.c_str(), stderr);
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    throw Error(ErrorCode::kInternal, "the checkpoint could not be written", "see the line above");
  }
  fs::rename(partial, model);
  return model;
}

std::vector<std::string> weight_files(const std::string& model) {
  const Checkpoint checkpoint = open_checkpoint(model);
  std::vector<std::pair<uint64_t, std::string>> sized;
  std::set<std::string> seen;
  for (const auto& item : checkpoint.parts) {
    if (item.second.weights == nullptr) continue;
    for (const auto& file : item.second.weights->files()) {
      if (seen.insert(file->name()).second) sized.emplace_back(file->size(), file->name());
    }
  }
  std::sort(sized.rbegin(), sized.rend());
  std::vector<std::string> files;
  for (const auto& item : sized) files.push_back(item.second);
  return files;
}

uint64_t bring_into_page_cache(const std::vector<std::string>& files) {
  std::vector<std::byte> piece(kPieceBytes);
  uint64_t bytes = 0;
  for (const std::string& path : files) {
    const auto source = open_file(path);
    for (uint64_t at = 0; at < source->size(); at += piece.size()) {
      const uint64_t left = source->size() - at;
      source->read_at(at, std::span(piece).first(std::min<uint64_t>(left, piece.size())));
    }
    bytes += source->size();
  }
  return bytes;
}

BenchRates::BenchRates(const std::string& folder, const std::string& model, Calibrating calibrating) {
  const std::string cache = folder + "/cache";
  if (::setenv("XDG_CACHE_HOME", cache.c_str(), 1) != 0) {
    throw Error(ErrorCode::kOutOfMemory, "no memory for the environment", "free some memory");
  }
  path_ = rates_path();
  const RatesKey key = rates_key(cpu_backend());
  rates_ = load_rates(path_, key);
  const bool wanted =
      calibrating == Calibrating::kAlways || (calibrating == Calibrating::kIfUnknown && !rates_.has_value());
  if (!wanted) return;
  std::fprintf(stderr, "memory_bench: measuring this machine's rates (snug calibrate)\n");
  const auto result = run_snug({"calibrate", "--json", "--model", model});
  if (result.exit_code != 0) {
    std::fputs(result.err.c_str(), stderr);
    throw Error(ErrorCode::kInternal, "snug calibrate failed", "see the line above, or use --no-calibrate");
  }
  rates_ = load_rates(path_, key);
}

void BenchRates::restore() const {
  if (rates_.has_value()) {
    save_rates(path_, rates_key(cpu_backend()), *rates_);
  } else {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
}

}  // namespace snug::bench
