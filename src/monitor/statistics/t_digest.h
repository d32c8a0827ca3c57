// Quantiles of a stream that is too long to keep: the merging t-digest of Dunning and Ertl (Computing
// extremely accurate quantiles using t-digests, 2019) with their scale function k1. Called by roll-ups, which
// keep one digest per hour and merge them for a day.
//
// What is exact and what is not: count, mean, least and largest are exact (the mean to rounding); quantiles
// are not. A cluster spans at most one unit of k1(q) = c/(2 pi) asin(2q - 1), c the compression, hence the
// share of values below an answer for q is off by at most rank_error(q, c) = 2 pi sqrt(q (1-q)) / c, and in
// the tests by at most a quarter of that; near the ends clusters are single values and answers all but exact.
// As long as no more values were added than fit in singles (about c/2) nothing is lost.
//
// Memory is flat: at most about c clusters and a buffer of 4 c values (about 10 KiB at c = 200), whatever the
// count. The result depends on the order of additions and merges, within the same bound. One thread at a
// time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "monitor/statistics/quantiles.h"

namespace snug {

class TDigest {
 public:
  // compression in [20, 10000].
  explicit TDigest(double compression = 200);

  // A finite value; anything else is a bug.
  void add(double value);
  // Afterwards as if this digest had seen the other's values too. It keeps its own compression.
  void merge(const TDigest& other);

  int64_t count() const { return count_; }
  // fraction in [0, 1]; nothing when nothing was added.
  std::optional<double> quantile(double fraction) const;
  // As summarize() of quantiles.h, with quantiles that are not exact; nothing when nothing was added.
  std::optional<Summary> summary() const;

  // compression, count, sum, least, largest, then mean and weight of each cluster: two numbers for each,
  // about 2.5 KiB at c = 200 for a long stream.
  std::vector<double> to_numbers() const;
  // Throws corrupt_file for numbers that no digest has.
  static TDigest from_numbers(std::span<const double> numbers);

  static double rank_error(double fraction, double compression);

 private:
  struct Cluster {
    double mean;
    double weight;
  };
  // Sorts what is in the buffer into the clusters. Const because it changes no answer, only when the work is
  // done: a const digest is for one thread too.
  void settle() const;

  double compression_;
  int64_t count_ = 0;
  double sum_ = 0, minimum_ = 0, maximum_ = 0;
  mutable std::vector<Cluster> clusters_;  // ascending
  mutable std::vector<Cluster> buffer_;    // in the order of arrival
};

}  // namespace snug
