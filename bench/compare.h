// Tells a change of speed from noise: two records of a benchmark (record.h), result by result.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace snug::bench {

// A change counts when it is larger than both, of the medians.
struct Thresholds {
  double relative = 0.05;
  double absolute_seconds = 50e-6;  // what a clock, a wake-up and a cold cache make of short runs
};

enum class Verdict { kNoise, kFaster, kSlower };
const char* verdict_word(Verdict verdict);
Verdict verdict_of(double before_seconds, double after_seconds, const Thresholds& thresholds);

struct Change {
  std::string name;                     // with element type and threads
  std::optional<double> before, after;  // medians, seconds; one is absent where only one record has it
  Verdict verdict = Verdict::kNoise;
};

// In the order of `before`, then what only `after` has. Throws invalid_argument where one is no record.
std::vector<Change> compare_records(const nlohmann::json& before, const nlohmann::json& after,
                                    const Thresholds& thresholds);

// Why the two say little about each other: other machines, other benchmarks. Empty when nothing does.
std::vector<std::string> differences(const nlohmann::json& before, const nlohmann::json& after);

}  // namespace snug::bench
