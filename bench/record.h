// What a benchmark leaves behind: one JSON object a run, the same form for every benchmark, so that
// bench/compare can tell two runs apart. docs/performance.md says what the fields are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/limits.h"
#include "bench/target.h"
#include "tensor/dtype.h"

namespace snug::bench {

// One thing that was timed. Its name, element type and threads together are its own in a record.
struct Measurement {
  std::string name;
  DType dtype = DType::kF32;
  int threads = 1;
  int count = 1;  // how often it happens in what it is a part of
  int warm_ups = 0;
  std::vector<double> samples;  // seconds of each run, in order
  // Nominal, by the definition; 0 where nothing is counted.
  double flops = 0, bytes = 0;
  std::optional<uint64_t> held_bytes;  // of memory that it was given: planned, or what it was handed
  // Only this benchmark's.
  nlohmann::ordered_json more = nlohmann::ordered_json::object();

  double median_seconds() const;
  // Of the limit that binds; nothing where no work was counted.
  std::optional<Bound> bound(const Limits& limits) const;
  std::optional<double> share_of_limit(const Limits& limits) const;
};

// "f32", "bf16".
std::string dtype_word(DType dtype);

struct Record {
  std::string benchmark;               // "ops"
  std::optional<double> load_average;  // before anything ran: processes beside this one
  std::optional<Limits> limits;
  nlohmann::ordered_json settings = nlohmann::ordered_json::object();  // what was asked for
  std::vector<Measurement> results;
  std::vector<Target> targets;
};

// With the commit and whether files differ from it, the date, the machine, and this process's peak memory.
nlohmann::ordered_json record_json(const Record& record);
// The file appears whole or not at all. Throws io_error, disk_full.
void write_json(const std::string& path, const nlohmann::ordered_json& json);

// Processes that run now; absent where the system does not say. Warns on standard error, as `program`, when
// there are any.
std::optional<double> load_average(const std::string& program);
// "AMD EPYC, avx512_bf16, 2 threads of 2 cores, commit 41a2a9f, 2026-11-21": for the head of a table.
std::string machine_line();

}  // namespace snug::bench
