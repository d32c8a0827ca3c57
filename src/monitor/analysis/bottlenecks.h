// Which limit bound a run: findings for the whole job, most avoidable time first, and for each phase the
// limit that took most of it. Called by run_analyst.h for every job that ends, by pages and reports for one
// run.
//
// Order: what could be avoided and took 10 % of the job's time or more, by its seconds; then compute and
// memory bandwidth, by theirs; then the rest. So the first finding is what to change, and compute is named
// first only where nothing else is worth it. How seconds are attributed, and what from, is time_shares.h.
//
// Pure; any thread. A record without a detail, of a failed job or of a cached one has fewer findings, and
// says what is undecided and why.
#pragma once

#include <vector>

#include "jobs/run_record.h"
#include "monitor/analysis/bottleneck.h"
#include "monitor/analysis/machine_peaks.h"

namespace snug {

struct RunBottlenecks {
  std::vector<Bottleneck> job;     // one a kind at most, sorted as above
  std::vector<Bottleneck> phases;  // one for each phase that took time, in the plan's order
  std::vector<Undecided> undecided;
  double unattributed_share = 0;  // of the job's time: no kind's
};

RunBottlenecks analyse_run(const RunRecord& record, const MachinePeaks& peaks);

// The job's alone.
std::vector<Bottleneck> bottlenecks_of(const RunRecord& record, const MachinePeaks& peaks);

// {"bottlenecks", "phases", "undecided", "unattributed_share"}
nlohmann::ordered_json to_json(const RunBottlenecks& found);

// Whether `a` stands before `b` in the order above.
bool stands_before(const Bottleneck& a, const Bottleneck& b);

}  // namespace snug
