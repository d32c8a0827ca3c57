#include "bench/target.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace snug::bench {

const char* met_word(Met met) {
  switch (met) {
    case Met::kPass: return "PASS";
    case Met::kFail: return "FAIL";
    case Met::kNotApplicable: break;
  }
  return "n/a";
}

Target target(std::string name, bool met, std::string found) {
  return {met ? Met::kPass : Met::kFail, std::move(name), std::move(found)};
}

std::string target_lines(const std::vector<Target>& targets) {
  std::string text;
  for (const Target& each : targets) {
    text += fmt::format("{:<4}  {}: {}\n", met_word(each.met), each.name, each.found);
  }
  return text;
}

nlohmann::ordered_json targets_json(const std::vector<Target>& targets) {
  auto json = nlohmann::ordered_json::array();
  for (const Target& each : targets) {
    json.push_back({{"target", each.name}, {"met", met_word(each.met)}, {"found", each.found}});
  }
  return json;
}

}  // namespace snug::bench
