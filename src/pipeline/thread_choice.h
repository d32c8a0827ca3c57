// How many threads compute, whether they are pinned to cores, and who decided: a flag, the configuration, the
// environment, `snug tune`, or the default. Called by the command line before anything computes; `snug
// system` tells it.
//
// What `snug tune` found is kept in tuned.json in the user's cache folder, one entry for each processor,
// instruction set and set of cores; whatever is wrong with it is a warning and counts as not tuned.
#pragma once

#include <optional>
#include <string>

#include "backend/backend.h"
#include "base/cores.h"

namespace snug {

struct TunedThreads {
  int threads = 1;
  bool pin = false;
  bool operator==(const TunedThreads&) const = default;
};

// What a choice holds for.
struct TunedKey {
  std::string processor;        // empty when the system does not say
  std::string instruction_set;  // as RatesKey has it
  int logical_cores = 1, physical_cores = 1;
  std::optional<double> quota_cores;  // of a control group
  bool operator==(const TunedKey&) const = default;
};
// This machine as this process may use it.
TunedKey tuned_key(const Backend& backend);

// $XDG_CACHE_HOME/snug/tuned.json, else ~/.cache/snug/tuned.json. Empty without a home.
std::string tuned_path();
// The entry of `key`; nothing where there is none or it is not plausible. Never throws.
std::optional<TunedThreads> load_tuned(const std::string& path, const TunedKey& key);
// Before the work that is to be kept: throws the io_error that save_tuned would.
void prepare_tuned_folder(const std::string& path);
// Throws io_error, disk_full.
void save_tuned(const std::string& path, const TunedKey& key, const TunedThreads& tuned);

enum class ThreadsSource { kFlag, kConfiguration, kEnvironment, kTuned, kDefault };
// "flag", "configuration", "environment", "tuned", "default".
std::string_view threads_source_name(ThreadsSource source);

// What was asked for, nothing where nothing was.
struct ThreadWishes {
  std::optional<int> flag;        // --threads
  std::optional<bool> pin_flag;   // --pin, --no-pin
  std::optional<int> configured;  // the file or its variable
  bool configured_pin = false;
  // OMP_NUM_THREADS, which users of other programs know.
  std::optional<int> environment;
};
// Fills in `environment`.
ThreadWishes thread_wishes(std::optional<int> flag, std::optional<bool> pin_flag, int64_t configured,
                           bool configured_pin);

struct ThreadChoice {
  int threads = 1;
  bool pin = false;
  ThreadsSource source = ThreadsSource::kDefault;
  std::string reason;  // "4 physical cores", "measured by 'snug tune'"
};

// The first that says: flag, configuration, environment, what was tuned, the default of cores.h. Pinning as
// asked for; else as tuned, where the number of threads is the tuned one's.
ThreadChoice choose_threads(const ThreadWishes& wishes, const std::optional<TunedThreads>& tuned,
                            const CoreLayout& cores, std::optional<double> quota);
// The same with what is kept of this machine.
ThreadChoice choose_threads(const ThreadWishes& wishes, const Backend& backend);

// Sets the thread count and pins. What the system refuses is a warning.
void use_threads(const ThreadChoice& choice);

}  // namespace snug
