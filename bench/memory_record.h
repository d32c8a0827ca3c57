// What memory_bench says of its runs: the table, which of the targets are met, and the record as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "bench/memory_runs.h"
#include "bench/target.h"

namespace snug::bench {

struct Measurements {
  Work work;
  std::vector<Row> rows;
  uint64_t smallest_bytes = 0;                          // smallest feasible budget
  std::optional<double> read_bytes, direct_read_bytes;  // per second, of the largest file, before the runs
  // Before the measurements: what is not this benchmark disturbs its times.
  std::optional<double> load_average;
};

std::string memory_table(const Measurements& measurements);
std::vector<Target> memory_targets(const Measurements& measurements);
// Commit, machine, rows with every run's report, targets.
nlohmann::ordered_json memory_json(const Measurements& measurements, const std::vector<Target>& targets);

// For draw_curve: rows that ran. A row without a budget stands at its planned peak.
std::vector<TimePoint> measured_points(const std::vector<Row>& rows);

}  // namespace snug::bench
