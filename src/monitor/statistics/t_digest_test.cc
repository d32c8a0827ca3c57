#include "monitor/statistics/t_digest.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include <gtest/gtest.h>

#include "base/error.h"
#include "monitor/statistics/repeatable_random.h"
#include "monitor/statistics/simulated_series.h"

namespace snug {
namespace {

struct Distribution {
  const char* name;
  std::function<double(RepeatableRandom&, int)> value;  // of the i-th in the stream
};

const std::vector<Distribution>& distributions() {
  static const std::vector<Distribution> all = {
      {"uniform", [](RepeatableRandom& r, int) { return r.uniform(); }},
      {"normal", [](RepeatableRandom& r, int) { return r.normal(); }},
      {"exponential", [](RepeatableRandom& r, int) { return -std::log(1 - r.uniform()); }},
      {"lognormal", [](RepeatableRandom& r, int) { return std::exp(2 * r.normal()); }},
      {"heavy-tailed", [](RepeatableRandom& r, int) { return testing::heavy_value(r); }},
      {"two levels", [](RepeatableRandom& r, int) { return r.normal() + (r.uniform() < 0.3 ? 1000 : 0); }},
      {"few values", [](RepeatableRandom& r, int) { return static_cast<double>(r.below(5)); }},
      {"ascending", [](RepeatableRandom&, int i) { return static_cast<double>(i); }},
  };
  return all;
}

// By how much the share of values below `answer` misses `fraction`; 0 within a run of equal values. A place
// of type 7 is one of count - 1.
double rank_miss(const std::vector<double>& sorted, double answer, double fraction) {
  const auto n = static_cast<double>(sorted.size());
  const double low =
      static_cast<double>(std::lower_bound(sorted.begin(), sorted.end(), answer) - sorted.begin());
  const double high =
      static_cast<double>(std::upper_bound(sorted.begin(), sorted.end(), answer) - sorted.begin());
  const double place = fraction * n;
  return std::max({0.0, low - place, place - high}) / n;
}

constexpr double kFractions[] = {0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};

TEST(TDigest, KeepsItsBoundOnEveryDistribution) {
  double worst = 0, worst_of_bound = 0;
  for (const Distribution& distribution : distributions()) {
    RepeatableRandom random(2);
    TDigest digest;
    std::vector<double> values(50000);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = distribution.value(random, static_cast<int>(i));
      digest.add(values[i]);
    }
    std::sort(values.begin(), values.end());
    for (double fraction : kFractions) {
      const double miss = rank_miss(values, *digest.quantile(fraction), fraction);
      const double bound = TDigest::rank_error(fraction, 200);
      EXPECT_LE(miss, bound + 1.0 / values.size()) << distribution.name << " at " << fraction;
      worst = std::max(worst, miss);
      worst_of_bound = std::max(worst_of_bound, miss / bound);
    }
    const Summary exact = *summarize(values), got = *digest.summary();
    EXPECT_EQ(got.count, exact.count);
    EXPECT_EQ(got.minimum, exact.minimum);
    EXPECT_EQ(got.maximum, exact.maximum);
    EXPECT_NEAR(got.mean, exact.mean, 1e-9 * std::abs(exact.mean) + 1e-9);
  }
  std::printf("t-digest, compression 200: worst rank error %.3f %%, %.0f %% of its bound\n", 100 * worst,
              100 * worst_of_bound);
}

TEST(TDigest, MergedPartsAreAsGoodAsOneStream) {
  for (const Distribution& distribution : distributions()) {
    RepeatableRandom random(3);
    TDigest merged;
    std::vector<double> values;
    for (int hour = 0; hour < 24; ++hour) {
      TDigest part;
      const auto count = random.below(2000);
      for (uint64_t i = 0; i < count; ++i) {
        values.push_back(distribution.value(random, static_cast<int>(values.size())) + 0.1 * hour);
        part.add(values.back());
      }
      merged.merge(TDigest::from_numbers(part.to_numbers()));
    }
    std::sort(values.begin(), values.end());
    EXPECT_EQ(merged.count(), static_cast<int64_t>(values.size()));
    for (double fraction : kFractions)
      EXPECT_LE(rank_miss(values, *merged.quantile(fraction), fraction),
                TDigest::rank_error(fraction, 200) + 1.0 / values.size())
          << distribution.name << " at " << fraction;
  }
}

TEST(TDigest, IsFlatInMemoryOverAMillionValues) {
  RepeatableRandom random(4);
  TDigest digest;
  size_t most = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    digest.add(random.uniform());
    if (i % 50'000 == 0) most = std::max(most, digest.to_numbers().size());
  }
  most = std::max(most, digest.to_numbers().size());
  EXPECT_LE(most, 2 * 200 + 5u);
  EXPECT_NEAR(*digest.quantile(0.5), 0.5, 0.01);
  EXPECT_NEAR(*digest.quantile(0.99), 0.99, 0.002);
  std::printf("t-digest of a million values: %zu bytes\n", most * sizeof(double));
}

TEST(TDigest, LosesNothingWhileValuesAreFew) {
  RepeatableRandom random(5);
  for (int count = 1; count <= 10; ++count) {
    TDigest digest;
    std::vector<double> values;
    for (int i = 0; i < count; ++i) digest.add(values.emplace_back(random.normal()));
    for (double fraction : {0.0, 0.2, 0.5, 0.77, 0.99, 1.0})
      EXPECT_NEAR(*digest.quantile(fraction), *quantile(values, fraction), 1e-12);
  }
}

TEST(TDigest, OfNothingSaysNothing) {
  TDigest empty;
  EXPECT_FALSE(empty.quantile(0.5));
  EXPECT_FALSE(empty.summary());
  TDigest copy = TDigest::from_numbers(empty.to_numbers());
  EXPECT_EQ(copy.count(), 0);
  copy.merge(empty);
  EXPECT_FALSE(copy.summary());
}

TEST(TDigest, RoundTripsAndRefusesWhatIsNotOne) {
  TDigest digest;
  RepeatableRandom random(6);
  for (int i = 0; i < 5000; ++i) digest.add(random.normal());
  const std::vector<double> numbers = digest.to_numbers();
  EXPECT_EQ(TDigest::from_numbers(numbers).to_numbers(), numbers);

  const auto refused = [&](size_t at, double value) {
    std::vector<double> wrong = numbers;
    wrong[at] = value;
    EXPECT_THROW(TDigest::from_numbers(wrong), Error) << at;
  };
  refused(0, 1);
  refused(1, -1);
  refused(1, 4999);
  refused(3, 1e9);
  refused(4, -1e9);
  refused(5, 1e9);
  refused(6, 0);
  refused(7, std::nan(""));
  EXPECT_THROW(TDigest::from_numbers(std::span(numbers).first(4)), Error);
  EXPECT_THROW(TDigest::from_numbers(std::span(numbers).first(6)), Error);
  EXPECT_THROW(TDigest::from_numbers({}), Error);
}

}  // namespace
}  // namespace snug
