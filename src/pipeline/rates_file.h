// Where measured rates are kept between runs: rates.json in the user's cache folder, one entry for each
// processor, instruction set and number of threads. `snug calibrate` writes it, plans read it, recorded runs
// refine it.
//
// It is a cache: whatever is wrong with it is a warning in the log and counts as nothing measured.
#pragma once

#include <optional>
#include <string>

#include "backend/backend.h"
#include "plan/rates.h"

namespace snug {

// What rates hold for.
struct RatesKey {
  std::string processor;        // "AMD EPYC 7763"; empty when the system does not say
  std::string instruction_set;  // "avx512"; of a backend that has none, the backend's name
  int threads = 1;
  bool operator==(const RatesKey&) const = default;
};

// This machine, that backend, as many threads as thread_count() says now.
RatesKey rates_key(const Backend& backend);

// $XDG_CACHE_HOME/snug/rates.json, else ~/.cache/snug/rates.json. Empty without a home.
std::string rates_path();

// The entry of `key`. Nothing when there is no file or no entry; nothing and a warning when the file cannot
// be read, is not of this form and version, or holds numbers that no machine has. Never throws.
std::optional<Rates> load_rates(const std::string& path, const RatesKey& key);

// This machine's with the nearest other number of threads, turned into those of `key` by the cores that
// compute at once (source: scaled). Nothing, and the warnings, as load_rates.
std::optional<Rates> scaled_rates(const std::string& path, const RatesKey& key);

// Makes the file's folder. Throws the io_error that save_rates would for a place that cannot be written: for
// telling before the work, not after.
void prepare_rates_folder(const std::string& path);

// Writes the entry, whole or not at all, beside the others there; makes the folder. A file that load_rates
// ignores is replaced. The last of several writers at once wins. Throws io_error, disk_full.
void save_rates(const std::string& path, const RatesKey& key, const Rates& rates);

// What plans use: the kept rates of this machine with this number of threads, else those of another number,
// scaled, else built-in ones. Never throws.
Rates rates_of_machine(const Backend& backend);

// After a run: refines what rates_of_machine gives by plan/rates.h and keeps it. A failure is a warning.
void refine_rates_of_machine(const Backend& backend, DType precision, const WorkSeconds& seconds);

}  // namespace snug
