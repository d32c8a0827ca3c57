// What the figures of the benchmarks rest on: statistics, the order of samples, limits, records, and telling
// a change from noise.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "bench/compare.h"
#include "bench/limits.h"
#include "bench/record.h"
#include "bench/sampling.h"
#include "bench/table.h"

namespace snug::bench {
namespace {

TEST(Statistics, AreOfTheSortedValues) {
  EXPECT_EQ(median_of({3, 1, 2}), 2);
  EXPECT_EQ(median_of({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median_of({}), 0);
  EXPECT_EQ(least_of({3, 1, 2}), 1);
  std::vector<double> hundred;
  for (int i = 100; i >= 1; --i) hundred.push_back(i);
  EXPECT_EQ(quantile_of(hundred, 0.95), 95);
  EXPECT_EQ(quantile_of({7}, 0.95), 7);
  EXPECT_EQ(quantile_of({1, 2}, 0), 1);
}

TEST(Sampling, TakesBodiesInTurnAndLeavesWarmUpOut) {
  std::string order;
  const Bodies bodies = {[&] { order += 'a'; }, [&] { order += 'b'; }};
  const auto samples = sample_in_turn(bodies, Sampling::exactly(3, 1));
  EXPECT_EQ(order, "abababab");
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[0].size(), 3u);
  EXPECT_EQ(samples[1].size(), 3u);
}

TEST(Sampling, StopsAtItsMostAndNotBeforeItsLeast) {
  int calls = 0;
  const Bodies bodies = {[&] { ++calls; }};
  Sampling sampling = {.warm_ups = 0, .least = 2, .most = 7, .seconds = 100, .clock = Clock::kWall};
  EXPECT_EQ(sample_in_turn(bodies, sampling)[0].size(), 7u);
  sampling.seconds = 0;
  EXPECT_EQ(sample_in_turn(bodies, sampling)[0].size(), 2u);
}

Limits some_limits() {
  Limits limits;
  limits.peak = {.f32_flops = 100, .bf16_flops = 200, .copy_bytes = 10};
  return limits;
}

TEST(Bound, IsTheLimitThatTakesLonger) {
  const Limits limits = some_limits();
  EXPECT_EQ(bound_of(1000, 10, DType::kF32, limits).limit, "f32");
  EXPECT_EQ(bound_of(1000, 10, DType::kF32, limits).seconds, 10);
  EXPECT_EQ(bound_of(1000, 10, DType::kBF16, limits).limit, "bf16");
  EXPECT_EQ(bound_of(1000, 10, DType::kBF16, limits).seconds, 5);
  EXPECT_EQ(bound_of(1000, 200, DType::kF32, limits).limit, "copy");
  EXPECT_EQ(bound_of(1000, 200, DType::kF32, limits).seconds, 20);
}

TEST(Bound, OfBf16IsThatOfF32WhereThereAreNoInstructions) {
  Limits limits = some_limits();
  limits.peak.bf16_flops = 0;
  EXPECT_EQ(bound_of(1000, 10, DType::kBF16, limits).limit, "f32");
  EXPECT_EQ(bound_of(1000, 10, DType::kBF16, limits).seconds, 10);
}

TEST(Verdict, NeedsBothThresholds) {
  const Thresholds thresholds = {.relative = 0.05, .absolute_seconds = 1e-3};
  EXPECT_EQ(verdict_of(1, 1, thresholds), Verdict::kNoise);
  EXPECT_EQ(verdict_of(1, 1.04, thresholds), Verdict::kNoise);
  EXPECT_EQ(verdict_of(1, 1.06, thresholds), Verdict::kSlower);
  EXPECT_EQ(verdict_of(1, 0.96, thresholds), Verdict::kNoise);
  EXPECT_EQ(verdict_of(1, 0.94, thresholds), Verdict::kFaster);
  // Twice as long, but of little.
  EXPECT_EQ(verdict_of(0.5e-3, 1e-3, thresholds), Verdict::kNoise);
  EXPECT_EQ(verdict_of(1e-3, 0.5e-3, thresholds), Verdict::kNoise);
}

Record record_with(const std::vector<std::pair<std::string, double>>& medians) {
  Record record;
  record.benchmark = "ops";
  record.limits = some_limits();
  for (const auto& [name, seconds] : medians) {
    Measurement measurement;
    measurement.name = name;
    measurement.samples = {seconds};
    measurement.flops = 50;
    record.results.push_back(std::move(measurement));
  }
  return record;
}

TEST(Record, HoldsWhatItWasGivenAndSharesOfLimits) {
  Record record = record_with({{"one", 2.0}});
  record.results[0].samples = {3, 1, 2};
  record.results[0].more["ours_only"] = 7;
  const auto json = record_json(record);
  EXPECT_EQ(json.at("benchmark"), "ops");
  EXPECT_TRUE(json.at("machine").at("processor").is_string());
  EXPECT_GT(json.at("peak_bytes").get<uint64_t>(), 0u);
  const auto& result = json.at("results").at(0);
  EXPECT_EQ(result.at("samples_seconds").size(), 3u);
  EXPECT_EQ(result.at("median_seconds"), 2);
  EXPECT_EQ(result.at("min_seconds"), 1);
  EXPECT_EQ(result.at("p95_seconds"), 3);
  EXPECT_EQ(result.at("limit"), "f32");
  EXPECT_EQ(result.at("share_of_limit"), 0.25);
  EXPECT_TRUE(result.at("held_bytes").is_null());
  EXPECT_EQ(result.at("ours_only"), 7);
}

TEST(Compare, FindsWhatChangedByName) {
  const auto before = record_json(record_with({{"same", 1}, {"worse", 1}, {"better", 1}, {"gone", 1}}));
  const auto after = record_json(record_with({{"better", 0.5}, {"worse", 2}, {"same", 1.01}, {"new", 1}}));
  const auto changes = compare_records(before, after, {});
  ASSERT_EQ(changes.size(), 5u);
  EXPECT_EQ(changes[0].verdict, Verdict::kNoise);
  EXPECT_EQ(changes[1].verdict, Verdict::kSlower);
  EXPECT_EQ(changes[1].name, "worse, f32, 1 threads");
  EXPECT_EQ(changes[2].verdict, Verdict::kFaster);
  EXPECT_FALSE(changes[3].after.has_value());
  EXPECT_FALSE(changes[4].before.has_value());
  EXPECT_TRUE(differences(before, after).empty());
}

TEST(Compare, SaysWhenMachinesDiffer) {
  const auto before = record_json(record_with({}));
  auto after = before;
  after["machine"]["threads"] = 99;
  EXPECT_EQ(differences(before, after).size(), 1u);
}

TEST(Compare, RefusesWhatIsNoRecord) {
  EXPECT_THROW(compare_records({{"results", 3}}, {{"results", 3}}, {}), Error);
}

TEST(Table, AlignsCharactersNotBytes) {
  Table table({"name", "ms"});
  table.add({"64×64", "1"});
  table.add({"a", "10"});
  EXPECT_EQ(table.text(), "name   ms\n64×64   1\na      10\n");
  EXPECT_EQ(table.markdown(), "| name | ms |\n|---|---:|\n| 64×64 | 1 |\n| a | 10 |\n");
}

TEST(Document, GetsItsSectionMadeAnewAndNothingElse) {
  const std::string document = "# A\n<!-- made by ./dev bench ops -->\nold\n<!-- end -->\nrest\n";
  const std::string filled = fill_section(document, "ops", "new\n");
  EXPECT_EQ(filled, "# A\n<!-- made by ./dev bench ops -->\nnew\n<!-- end -->\nrest\n");
  EXPECT_EQ(fill_section(filled, "ops", "new\n"), filled);
  EXPECT_THROW(fill_section(document, "models", "new\n"), Error);
}

}  // namespace
}  // namespace snug::bench
