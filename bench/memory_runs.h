// The runs of memory_bench: `snug generate` and `snug plan` as users start them, each in a process of its
// own, under one budget after another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/draw_curve.h"
#include "tests/program.h"

namespace snug::bench {

// What is generated; the same in every run.
struct Work {
  std::string model;  // a folder
  int width = 512, height = 512, steps = 2;
  std::string picture;  // written by each run, removed after it
};

struct Setting {
  std::string name;                      // "1.00 GiB, direct reads"
  std::optional<uint64_t> budget_bytes;  // nothing: what is free
  bool direct_reads = false;
  bool smallest = false;  // the budget is the smallest that can be
};

// One run. Seconds and bytes are the report's unless said otherwise.
struct Sample {
  std::string error_code, error;  // empty when it succeeded
  uint64_t budget_bytes = 0, planned_peak_bytes = 0;
  uint64_t peak_bytes = 0;                      // by wait4
  std::optional<uint64_t> reported_peak_bytes;  // VmHWM
  std::vector<double> step_seconds;
  double decode_seconds = 0;
  double predicted_seconds = 0, seconds = 0;  // of all phases
  uint64_t picture_hash = 0;                  // of the decoded pixels
  bool flat = false;                          // every sample of the picture is the same
  std::string rates;                          // what the prediction rests on: "measured", "built_in"
  std::string report_json;                    // all of the report; empty when there was none
};

// What `snug plan` says of a setting.
struct PlanFacts {
  double step_seconds = 0;                                 // predicted
  uint64_t streamed_bytes = 0;                             // in each step
  uint64_t spilled_bytes = 0;                              // in each step
  int passes = 1, most_bands = 1, banded = 0, sliced = 0;  // bands: of the phase with most; banded: all
};

struct Row {
  Setting setting;
  PlanFacts plan;
  std::vector<double> plan_seconds;       // of try_plan in this process
  std::vector<double> plan_core_seconds;  // of one core, each time: less where others had the core
  std::vector<Sample> samples;

  bool refused() const { return !samples.empty() && samples.front().error_code == "over_budget"; }
  bool ran() const;  // every sample succeeded
  // Of a step when weights that stay have been read: the median of all steps but each run's first. With one
  // step a run, of that.
  double step_seconds() const;
  double first_step_seconds() const;  // median
  double decode_seconds() const;      // median
  double seconds() const;             // median
  double predicted_seconds() const;   // median
};

// The program with this environment's cache and temporary folders.
testing::ProgramResult run_snug(const std::vector<std::string>& arguments);

Sample run_generate(const Work& work, const Setting& setting);
// Throws internal where `snug plan` fails; facts of nothing where it refuses.
PlanFacts run_plan(const Work& work, const Setting& setting);
// From the refusal of a budget that cannot do. Throws internal when it is not refused as it should be.
uint64_t smallest_budget_bytes(const Work& work);
// What `snug plan --curve` predicts.
std::vector<TimePoint> run_curve(const Work& work);
// Plans row.setting from the manifests `repeats` times in this process, into its two lists of seconds.
void time_planning(const Work& work, Row& row, int repeats);

}  // namespace snug::bench
