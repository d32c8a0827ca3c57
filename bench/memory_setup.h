// What memory_bench needs before it measures: a full-size checkpoint, rates of this machine, and its files in
// the page cache. All lies in one folder of the user's cache, beside nothing of the user's own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plan/rates.h"

namespace snug::bench {

// $XDG_CACHE_HOME/snug/bench, else ~/.cache/snug/bench; made. Throws io_error, not_found (no home).
std::string bench_folder();

// FOLDER/sd15, from tests/fixtures/manifests with seeded random F16 weights (tools/write_checkpoint); written
// when it is not there or cannot be opened. It appears whole or not at all. Throws what opening the model
// throws, and internal when the writing program fails (its message went to standard error).
std::string sd15_checkpoint(const std::string& folder);

// The model's weight files, the largest first.
std::vector<std::string> weight_files(const std::string& model);

// Reads the files once. Bytes read.
uint64_t bring_into_page_cache(const std::vector<std::string>& files);

enum class Calibrating { kIfUnknown, kAlways, kNever };

// The rates that this process and those it starts predict with: they are told another cache folder
// (XDG_CACHE_HOME), where runs refine other rates than the user's. Every run of the benchmark is to be
// predicted from calibration alone, not from the runs before it: restore() forgets what they refined.
class BenchRates {
 public:
  // Runs `snug calibrate` where asked. Throws internal when that fails.
  BenchRates(const std::string& folder, const std::string& model, Calibrating calibrating);
  void restore() const;

 private:
  std::string path_;
  std::optional<Rates> rates_;  // nothing: built-in ones
};

}  // namespace snug::bench
