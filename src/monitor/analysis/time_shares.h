// Where a job's seconds went, by what they were spent on: the partition that bottlenecks.h makes findings of.
// Every second is counted once: kinds of one part never take more than the part has, and all parts together
// are the job's total.
//
// Parts: the queue (with waiting for other runs of the same process), loading, each phase of the plan, and
// the rest (planning, encoding files, storing), in which nothing but what slowed the whole machine is told
// apart.
//
//   waiting for weights  In a phase, measured. What a plan reads again in each run because of the budget is
//     memory pressure; what it reads once is load, as long as it takes what the rates of reading predict (and
//     a quarter more); what is beyond that is the disk, unless the kernel counted neither bytes from a disk
//     nor waiting for one. Of bytes read again the excess is the disk's only where the kernel did count.
//   reading again, spilling  Beside the waiting: core time by Rates::read_core_seconds, and spilled bytes,
//   out
//     and back, by Rates::spill_bytes. Predicted.
//   quota   throttled_seconds are of all cores together: divided by the run's threads.
//   heat    frequency under three quarters of its limit while the cores were busy (idle ones slow down by
//     themselves) or the processor counted thermal throttles: the part that is missing.
//   others  With t threads on C cores of which others had o, a run gets min(t, C - o): the part that is
//   missing,
//     as every kernel waits for its last thread.
//   memory  PSI: some task of the machine waited for memory.
// What remains of a phase is compute where its nominal FLOPs at the machine's fastest rate take longer than
// its nominal bytes at memory's (Williams, Waterman, Patterson: Roofline, 2009), else memory bandwidth.
//
// When claims on a part are more than it has, all are scaled down alike. So more of one stress never makes
// its own share smaller against the others. What is not known makes no claim and a reason. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "jobs/run_record.h"
#include "monitor/analysis/bottleneck.h"
#include "monitor/analysis/machine_peaks.h"
#include "monitor/analysis/run_detail.h"

namespace snug {

struct PhaseShare {
  RunPhase phase;
  KindSeconds seconds = {};  // by kind; together phase.seconds where compute is decided
  double ideal_compute_seconds = 0, ideal_memory_seconds = 0;  // by the roofline; 0: not known
};

struct TimeShares {
  double total_seconds = 0;  // the job's
  double run_seconds = 0;    // without the queue
  KindSeconds seconds = {};  // of the whole job
  double unattributed_seconds = 0;
  std::vector<PhaseShare> phases;
  std::vector<Undecided> undecided;
  // Of the run's time; what texts and evidence name.
  double other_programs_fraction = 0, throttled_fraction = 0, slow_clock_fraction = 0;
  double reread_bytes = 0;    // planned, because of the budget
  double threads = 0;         // the run's, or the cores where they are not known; 0: neither is
  bool disk_counted = false;  // the kernel counted reading from a disk, or waiting for one
};

// Nothing to share (no time, or answered from the cache): total_seconds is 0 and everything is undecided.
TimeShares share_time(const RunRecord& record, const MachinePeaks& peaks);

}  // namespace snug
