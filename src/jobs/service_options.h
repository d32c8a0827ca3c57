// How the service is set up: by the configuration and `snug serve`'s flags.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cache/byte_lru.h"
#include "jobs/cache_store.h"
#include "pipeline/request.h"
#include "plan/rates.h"

namespace snug {

class RunObserver;

// What is removed while the service runs (housekeeping.h).
struct HousekeepingOptions {
  double interval_seconds = 3600;
  double blob_grace_seconds = 3600;            // what nothing names is removed when it is older
  std::optional<double> keep_jobs_seconds;     // after their end; absent: for ever
  std::optional<double> keep_uploads_seconds;  // since they were sent last; absent: for ever
};

struct ServiceOptions {
  std::string data_folder;  // exists, or can be made
  std::string database;     // as DatabaseOptions::place; empty: snug.sqlite in the data folder

  // Fills in where the model of that name (empty: the default) and its parts lie. Throws not_found.
  std::function<void(RequestFields& fields)> find_model;

  std::optional<uint64_t> memory_bytes;  // most that the process may hold; absent: what is free at the start
  Rates rates;                           // of this machine
  int64_t most_queued = 1000;
  int64_t most_batch = 8;          // pictures that run together
  int runs_at_once = 2;            // where memory allows; the older has the cores whenever it wants them
  int most_attempts = 3;           // of a job whose failure is worth another
  double checkpoint_seconds = 10;  // between two checkpoints of a run; they take at most 1 % of the time
  CacheLimits results{int64_t{1} << 30, std::nullopt};
  LruLimits conditioning{int64_t{64} << 20, std::nullopt};
  double models_share = 0.5;  // of the memory, for what is loaded and not in use
  HousekeepingOptions housekeeping;
  bool keep_history = false;        // what runs tell of this machine, in the user's cache folder
  RunObserver* observer = nullptr;  // of every run (run_observer.h), and outlives the service; null: nobody
};

}  // namespace snug
