// A sample of durations or ratios: kept whole as long as that is cheap, so that its quantiles are exact; a
// t-digest beyond that, so that memory stays flat. Used by window_statistics.h, which says in its JSON which
// of the two it was. One thread at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "monitor/statistics/quantiles.h"
#include "monitor/statistics/t_digest.h"

namespace snug {

class Distribution {
 public:
  // 400 KiB for one distribution; what a busy machine ends in a week.
  static constexpr size_t kMostExact = 50'000;
  explicit Distribution(size_t most_exact = kMostExact) : most_exact_(most_exact) {}

  // A finite value.
  void add(double value);
  // Nothing as long as nothing was added.
  std::optional<Summary> summary() const;
  std::string_view method() const { return digest_ ? "t-digest" : "exact"; }

 private:
  size_t most_exact_;
  std::vector<double> values_;
  std::optional<TDigest> digest_;
};

// {"count", "mean_UNIT", "minimum_UNIT", "p50_UNIT", ... "p99_UNIT", "maximum_UNIT", "method"}; without
// values all but the count and the method are null. An empty unit adds nothing to the names.
nlohmann::ordered_json distribution_json(const Distribution& distribution, std::string_view unit);

}  // namespace snug
