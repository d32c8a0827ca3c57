// What of the service grows: memory and files over many jobs, and memory by clients that only listen.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/serve_process.h"

namespace snug::bench {

struct ManyJobs {
  int jobs = 2000;
  int warm_up = 400;  // of them, during which memory may grow
  int waiting = 8;    // submitted and not ended, at most
  int edge_px = 64, steps = 1;
  int sample_every = 20;
};
struct ResidentSample {
  int jobs = 0;  // that had ended
  uint64_t bytes = 0;
};
struct MemoryOverJobs {
  double seconds = 0;
  std::vector<ResidentSample> samples;  // after the warm-up
  uint64_t warm_up_bytes = 0;           // resident at its begin
  double stored_bytes_per_job = 0;      // of database, blobs and log, after the warm-up

  // Medians of the first and the last tenth of the samples (at least one).
  double first_bytes() const;
  double last_bytes() const;
  double slope_bytes_per_job() const;  // least squares
};
// New pictures, a few prompts round and round. Throws internal when a job fails.
MemoryOverJobs run_many_jobs(const ServeProcess& service, const ManyJobs& load);

struct ListenersFound {
  int listeners = 0;
  uint64_t before_bytes = 0, idle_bytes = 0;  // resident without them, and with them idle
  int told_of_end = 0;                        // listeners that learned that the job was done
  int64_t least_events = 0, most_events = 0;  // of that job, that one of them got
  double last_told_seconds = 0;               // after the job was done for the first of them
};
// Connects that many WebSockets, which listen to all jobs, and runs one job while they do.
ListenersFound run_listeners(const ServeProcess& service, int listeners);

}  // namespace snug::bench
