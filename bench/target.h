// What the project has set itself to reach, beside what a benchmark found. Made by the benchmarks, printed
// and recorded by all of them alike.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace snug::bench {

enum class Met { kPass, kFail, kNotApplicable };

struct Target {
  Met met = Met::kNotApplicable;
  std::string name, found;  // found: the figure, or why there is none
};

// "PASS", "FAIL", "n/a".
const char* met_word(Met met);
Target target(std::string name, bool met, std::string found);
// One line each.
std::string target_lines(const std::vector<Target>& targets);
// [{"target", "met", "found"}].
nlohmann::ordered_json targets_json(const std::vector<Target>& targets);

}  // namespace snug::bench
