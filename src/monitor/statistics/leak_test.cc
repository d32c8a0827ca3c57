#include "monitor/statistics/leak.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "monitor/statistics/simulated_series.h"

namespace snug {
namespace {

using testing::regular_times;

constexpr double kMebibyte = 1 << 20;
constexpr size_t kSamples = 1440;  // two hours of one each 5 s
constexpr double kStepSeconds = 5;
constexpr double kWatched = (kSamples - 1) * kStepSeconds;

using Shape = std::function<double(double part)>;  // MiB at a part of the watch in [0, 1]

struct Case {
  std::string name;
  std::function<Shape(RepeatableRandom&)> shape;
};

// A sawtooth: `period` is a part of the watch, `height` MiB.
Shape sawtooth(RepeatableRandom& random, double least_period, double most_period, double height) {
  const double period = least_period * std::pow(most_period / least_period, random.uniform());
  const double phase = random.uniform();
  return [=](double part) {
    const double turns = part / period + phase;
    return height * (turns - std::floor(turns));
  };
}

std::vector<double> simulate(const Shape& shape, testing::Noise noise, double noise_mib,
                             RepeatableRandom& random) {
  std::vector<double> bytes = testing::noise_series(noise, random, kSamples);
  for (size_t i = 0; i < kSamples; ++i)
    bytes[i] = kMebibyte * (2000 + noise_mib * bytes[i] +
                            shape(static_cast<double>(i) / static_cast<double>(kSamples - 1)));
  return bytes;
}

const std::vector<Case>& innocent() {
  static const std::vector<Case> all = {
      {"noise", [](RepeatableRandom&) { return [](double) { return 0.0; }; }},
      {"warm-up",
       [](RepeatableRandom& random) {
         const double time_constant = 0.02 + 0.2 * random.uniform();
         const double height = 100 + 2000 * random.uniform();
         return [=](double part) { return height * (1 - std::exp(-part / time_constant)); };
       }},
      {"sawtooth", [](RepeatableRandom& random) { return sawtooth(random, 0.005, 0.9, 500); }},
      {"sawtooth and warm-up",
       [](RepeatableRandom& random) {
         const Shape teeth = sawtooth(random, 0.005, 0.5, 300);
         return [=](double part) { return teeth(part) + 500 * (1 - std::exp(-part / 0.1)); };
       }},
      {"one step",
       [](RepeatableRandom& random) {
         const double at = random.uniform();
         return [=](double part) { return part < at ? 0.0 : 400.0; };
       }},
      {"models loaded and dropped",
       [](RepeatableRandom& random) {
         std::map<double, double> levels = {{-1, 0}};
         for (int i = 0; i < 6; ++i) levels[random.uniform()] = 200.0 * static_cast<double>(random.below(5));
         return [=](double part) { return std::prev(levels.upper_bound(part))->second; };
       }},
  };
  return all;
}

TEST(Leak, IsNotSeenInWhatGrowsForOtherReasons) {
  constexpr int kSeries = 60;
  const std::vector<double> times = regular_times(kSamples, kStepSeconds);
  std::map<LeakVerdict, int> verdicts;
  for (const Case& each : innocent()) {
    RepeatableRandom random(40);
    int alarms = 0, series = 0;
    for (testing::Noise noise : testing::kNoises)
      for (int i = 0; i < kSeries; ++i, ++series) {
        const LeakFinding finding =
            find_leak(times, simulate(each.shape(random), noise, i % 2 == 0 ? 2 : 20, random));
        alarms += finding.leaking;
        ++verdicts[finding.verdict];
      }
    const double percent = 100.0 * alarms / series;
    std::printf("leaks, %s: false alarms %.1f %% of %d series\n", each.name.c_str(), percent, series);
    EXPECT_LT(percent, 5) << each.name;
  }
  for (const auto& [verdict, count] : verdicts)
    std::printf("leaks, %s: %d\n", leak_verdict_word(verdict), count);
}

TEST(Leak, IsFoundWithItsPaceUnderNoiseTeethAndWarmUp) {
  constexpr int kSeries = 60;
  const std::vector<double> times = regular_times(kSamples, kStepSeconds);
  for (testing::Noise noise : testing::kNoises) {
    RepeatableRandom random(41);
    int found = 0, inside = 0;
    for (int i = 0; i < kSeries; ++i) {
      const double pace = 100 + 400 * random.uniform();  // MiB an hour
      // Caches of up to 200 MiB that are dropped each few minutes at most, and a warm-up of a fifteenth.
      const Shape teeth = sawtooth(random, 0.002, 0.015, 200 * random.uniform());
      const Shape leak = [&](double part) {
        return pace * part * kWatched / 3600 + teeth(part) + 300 * (1 - std::exp(-part / 0.07));
      };
      const LeakFinding finding = find_leak(times, simulate(leak, noise, 5, random));
      found += finding.leaking;
      inside +=
          finding.bytes_per_hour_low <= pace * kMebibyte && pace * kMebibyte <= finding.bytes_per_hour_high;
      EXPECT_NEAR(finding.bytes_per_hour / (pace * kMebibyte), 1, 0.15);
    }
    const std::string_view name = testing::noise_name(noise);
    std::printf("leaks of 100 to 500 MiB an hour, %.*s: found %.1f %%, 95 %% interval holds %.1f %%\n",
                static_cast<int>(name.size()), name.data(), 100.0 * found / kSeries,
                100.0 * inside / kSeries);
    EXPECT_GT(found, 0.95 * kSeries) << name;
  }
}

TEST(Leak, VerdictsSayWhatItIsInstead) {
  RepeatableRandom random(42);
  const std::vector<double> times = regular_times(kSamples, kStepSeconds);
  const auto verdict = [&](const Shape& shape, double noise_mib = 1) {
    return std::string(leak_verdict_word(
        find_leak(times, simulate(shape, testing::Noise::kWhite, noise_mib, random)).verdict));
  };
  EXPECT_EQ(verdict([](double) { return 0.0; }), "steady");
  EXPECT_EQ(verdict([](double part) { return 100 * part; }), "leaking");
  EXPECT_EQ(verdict([](double part) { return part < 0.8 ? 0.0 : 500.0; }), "steady");
  EXPECT_EQ(verdict([](double part) { return 1000 * (1 - std::exp(-part / 0.02)); }), "steady");
  EXPECT_EQ(verdict([](double part) { return 1000 * (1 - std::exp(-part / 0.2)); }), "levelling_off");
  const Shape rests = [](double part) { return 90 * (std::min(part, 0.667) + std::max(0.0, part - 0.833)); };
  EXPECT_EQ(verdict(rests, 6), "uneven");
  // A cache dropped once, at 0.4: since then it only grew.
  EXPECT_EQ(verdict([](double part) { return 500 * (part < 0.4 ? part + 0.6 : part - 0.4); }), "falls_back");
}

TEST(Leak, IsNotGuessedFromTooLittle) {
  EXPECT_EQ(find_leak({}, {}).verdict, LeakVerdict::kTooLittleData);
  std::vector<double> bytes(kLeastForLeak - 1);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = 1e8 * static_cast<double>(i);
  EXPECT_EQ(find_leak(regular_times(bytes.size(), 5), bytes).verdict, LeakVerdict::kTooLittleData);
  bytes.push_back(1e10);
  EXPECT_EQ(find_leak(regular_times(bytes.size(), 5), bytes).verdict, LeakVerdict::kLeaking);
  // All but one in the first minutes, then nothing for a day.
  std::vector<double> times = regular_times(bytes.size(), 5);
  times.back() = 86400;
  EXPECT_EQ(find_leak(times, bytes).verdict, LeakVerdict::kTooLittleData);
}

}  // namespace
}  // namespace snug
