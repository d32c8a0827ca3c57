#include "bench/compare.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace snug::bench {
namespace {

using nlohmann::json;

struct Median {
  std::string name;
  double seconds = 0;
};

std::vector<Median> medians_of(const json& record) {
  try {
    std::vector<Median> medians;
    for (const json& result : record.at("results")) {
      medians.push_back({fmt::format("{}, {}, {} threads", result.at("name").get<std::string>(),
                                     result.at("dtype").get<std::string>(), result.at("threads").get<int>()),
                         result.at("median_seconds").get<double>()});
    }
    return medians;
  } catch (const json::exception& error) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("no record of a benchmark: {}", error.what()),
                "make one with --json FILE");
  }
}

std::optional<double> find(const std::vector<Median>& medians, const std::string& name) {
  const auto found =
      std::find_if(medians.begin(), medians.end(), [&](const Median& m) { return m.name == name; });
  return found == medians.end() ? std::nullopt : std::optional(found->seconds);
}

}  // namespace

const char* verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kFaster: return "faster";
    case Verdict::kSlower: return "slower";
    case Verdict::kNoise: break;
  }
  return "noise";
}

Verdict verdict_of(double before_seconds, double after_seconds, const Thresholds& thresholds) {
  const double change = after_seconds - before_seconds;
  const bool counts = std::fabs(change) > thresholds.absolute_seconds &&
                      std::fabs(change) > thresholds.relative * before_seconds;
  if (!counts) return Verdict::kNoise;
  return change > 0 ? Verdict::kSlower : Verdict::kFaster;
}

std::vector<Change> compare_records(const json& before, const json& after, const Thresholds& thresholds) {
  const std::vector<Median> old_medians = medians_of(before), new_medians = medians_of(after);
  std::vector<Change> changes;
  for (const Median& median : old_medians) {
    const auto other = find(new_medians, median.name);
    changes.push_back({median.name, median.seconds, other,
                       other ? verdict_of(median.seconds, *other, thresholds) : Verdict::kNoise});
  }
  for (const Median& median : new_medians) {
    if (!find(old_medians, median.name)) {
      changes.push_back({median.name, std::nullopt, median.seconds, Verdict::kNoise});
    }
  }
  return changes;
}

std::vector<std::string> differences(const json& before, const json& after) {
  std::vector<std::string> found;
  for (const char* path :
       {"/benchmark", "/machine/processor", "/machine/instruction_set", "/machine/threads"}) {
    const json::json_pointer pointer(path);
    const json one = before.value(pointer, json()), other = after.value(pointer, json());
    if (one != other) found.push_back(fmt::format("{}: {} and {}", path + 1, one.dump(), other.dump()));
  }
  return found;
}

}  // namespace snug::bench
