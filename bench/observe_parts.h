// The parts of `./dev bench observe`: what monitoring costs a picture, how long the pages of a year of
// history take, and whether memory stays flat over a million samples. Called by observe_bench.cc, which
// prints them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace snug::bench {

// Two services, one that monitors and one that does not, asked in turn for the same picture.
struct MonitoringCost {
  int edge_px = 0, steps = 0, sample_milliseconds = 0;
  std::vector<double> without_seconds, with_seconds;  // from asking to done; pair i is one seed
};
struct CostLoad {
  int pairs = 40, edge_px = 128, steps = 30, sample_milliseconds = 5000;
};
// `folder`: empty, for both services' data.
MonitoringCost measure_monitoring_cost(const std::string& folder, const CostLoad& load);

struct PageTime {
  std::string page;
  std::vector<double> seconds;  // each time it was asked for
  size_t bytes = 0;             // of its JSON
};
struct HistoryTimes {
  int64_t records = 0, samples = 0;  // rows in the store
  double fill_seconds = 0;
  std::vector<PageTime> pages;
};
// `database`: path of a file that is not there yet.
HistoryTimes time_history_pages(const std::string& database, int64_t records, int repeats);

struct SampleMemory {
  int64_t samples = 0;
  double seconds = 0;
  // Resident, after a tenth of the samples and after each tenth that follows.
  std::vector<uint64_t> resident_bytes;
  int64_t rows = 0;           // that are kept
  uint64_t stored_bytes = 0;  // the database's file
};
SampleMemory push_samples(const std::string& database, int64_t samples);

}  // namespace snug::bench
