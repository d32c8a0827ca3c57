// Hysteresis as a property over random walks, the tables, and what the setting `alerts` may say.
#include "monitor/alerts/alert_watch.h"

#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "base/error.h"

namespace snug {
namespace {

AlertValues only(AlertKind kind, std::optional<double> value) {
  AlertValues values;
  values[static_cast<size_t>(kind)] = value;
  return values;
}

TEST(AlertWatch, OnRandomWalksFiredAndClearedAlternateAndNoneIsWithinTheBand) {
  std::mt19937 random(11);
  int64_t seen = 0;
  for (int walk = 0; walk < 200; ++walk) {
    const auto kind = static_cast<AlertKind>(random() % kAlertKindCount);
    const AlertRule rule = alert_rules()[static_cast<size_t>(kind)];
    AlertWatch watch({rule});
    const double start = rule.levels[0]->fire_at;
    std::normal_distribution<double> move(0, start / (20.0 + 200.0 * (walk % 3)));
    double value = start * 0.9;
    std::array<bool, kAlertLevelCount> is_fired = {};
    std::array<int, kAlertLevelCount> streak = {};
    for (int i = 0; i < 2000; ++i) {
      value = std::max(0.0, value + move(random));
      const bool is_absent = random() % 20 == 0;
      const auto given = is_absent ? std::nullopt : std::optional(value);
      for (size_t level = 0; level < kAlertLevelCount; ++level) {
        streak[level] = given && *given >= rule.levels[level]->fire_at ? streak[level] + 1 : 0;
      }
      std::map<AlertLevel, int> events;
      for (const AlertEvent& event : watch.observe(i, only(kind, given))) {
        const auto level = static_cast<size_t>(event.level);
        const AlertThreshold& threshold = *rule.levels[level];
        ++seen;
        EXPECT_EQ(++events[event.level], 1) << "one event for one crossing";
        EXPECT_EQ(event.change == AlertChange::kFired, !is_fired[level]) << "they alternate";
        is_fired[level] = event.change == AlertChange::kFired;
        ASSERT_TRUE(given.has_value());
        if (is_fired[level]) {
          EXPECT_GE(streak[level], threshold.samples);
        } else {
          EXPECT_LT(*given, threshold.clear_below);
        }
        EXPECT_FALSE(*given >= threshold.clear_below && *given < threshold.fire_at) << "within the band";
      }
      // And nothing is missed: a second account of what is active.
      for (size_t level = 0; level < kAlertLevelCount; ++level) {
        const AlertThreshold& threshold = *rule.levels[level];
        if (given && *given < threshold.clear_below) {
          EXPECT_FALSE(is_fired[level]);
        }
        if (streak[level] >= threshold.samples) {
          EXPECT_TRUE(is_fired[level]);
        }
      }
    }
  }
  EXPECT_GT(seen, 500) << "the walks crossed often enough to show anything";
}

TEST(AlertWatch, ALeapMustLastAndADiskFiresAtOnce) {
  AlertWatch watch(alert_rules());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(watch.observe(i, only(AlertKind::kCpu, 60)).empty());
  EXPECT_TRUE(watch.observe(5, only(AlertKind::kCpu, 10)).empty());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(watch.observe(i, only(AlertKind::kCpu, 60)).empty());
  EXPECT_EQ(watch.observe(12, only(AlertKind::kCpu, 60)).size(), 1u);
  const auto both = watch.observe(13, only(AlertKind::kDisk, 99));
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[1].level, AlertLevel::kCritical);
  EXPECT_EQ(alert_text(both[1]), "disk is at level critical: 99 percent (at or above 97)");
  EXPECT_EQ(watch.status(), ServiceStatus::kCritical);
}

TEST(AlertWatch, WhatWasActiveBeforeDoesNotFireAgainAndClears) {
  AlertWatch watch(alert_rules(), {{AlertKind::kMemory, AlertLevel::kWarning, 5}});
  EXPECT_EQ(watch.status(), ServiceStatus::kLimited);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(watch.observe(i, only(AlertKind::kMemory, 92)).empty());
  EXPECT_EQ(watch.active().front().since_ms, 5);
  ASSERT_EQ(watch.observe(9, only(AlertKind::kMemory, 80)).size(), 1u);
  EXPECT_EQ(watch.status(), ServiceStatus::kOptimal);
  // One whose rule was switched off meanwhile ends by itself.
  AlertWatch off(alert_rules({"memory=off"}), {{AlertKind::kMemory, AlertLevel::kWarning, 5}});
  EXPECT_EQ(off.observe(1, {}).size(), 1u);
  EXPECT_TRUE(off.active().empty());
}

TEST(AlertRules, TheSettingChangesThresholdsAndItsMistakesAreNamed) {
  const auto rules = alert_rules({"memory=80,95", "cpu=off", "queue_wait=60"});
  EXPECT_EQ(rules[static_cast<size_t>(AlertKind::kMemory)].levels[0]->fire_at, 80);
  EXPECT_EQ(rules[static_cast<size_t>(AlertKind::kMemory)].levels[0]->clear_below, 77);
  EXPECT_EQ(rules[static_cast<size_t>(AlertKind::kMemory)].levels[1]->fire_at, 95);
  EXPECT_FALSE(rules[static_cast<size_t>(AlertKind::kCpu)].levels[0].has_value());
  EXPECT_EQ(rules[static_cast<size_t>(AlertKind::kQueueWait)].levels[1], std::nullopt);
  for (const char* wrong : {"memroy=80", "memory", "memory=", "memory=x", "memory=-5", "memory=0",
                            "memory=90,80", "memory=90,90", "memory=nan", "memory=inf", "", "=5"}) {
    EXPECT_THROW(alert_rules({wrong}), Error) << wrong;
  }
  try {
    alert_rules({"memroy=80"});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(error.problem().find("did you mean memory?"), std::string::npos);
  }
}

TEST(AlertRules, TheStatusIsTheWorstOfTheTable) {
  EXPECT_EQ(status_of({}), ServiceStatus::kOptimal);
  EXPECT_EQ(status_of({{AlertKind::kCpu, AlertLevel::kWarning, 0}}), ServiceStatus::kAvailable);
  EXPECT_EQ(status_of({{AlertKind::kCpu, AlertLevel::kWarning, 0},
                       {AlertKind::kMemory, AlertLevel::kCritical, 0},
                       {AlertKind::kDisk, AlertLevel::kWarning, 0}}),
            ServiceStatus::kInsufficient);
  EXPECT_EQ(service_status_name(ServiceStatus::kInsufficient), "insufficient");
}

TEST(AlertRules, TheFullerOfMachineAndControlGroupCounts) {
  Sample sample;
  EXPECT_EQ(alert_values(sample), AlertValues());
  sample[SampleField::kMemoryTotal] = 1000;
  sample[SampleField::kMemoryAvailable] = 600;
  EXPECT_EQ(alert_values(sample)[static_cast<size_t>(AlertKind::kMemory)], 40);
  sample[SampleField::kCgroupMemory] = 90;
  sample[SampleField::kCgroupMemoryLimit] = 100;
  sample[SampleField::kThrottled] = 0.5;
  sample[SampleField::kGpuTemperature] = 70;
  EXPECT_EQ(alert_values(sample)[static_cast<size_t>(AlertKind::kMemory)], 90);
  EXPECT_EQ(alert_values(sample)[static_cast<size_t>(AlertKind::kThrottling)], 50);
  EXPECT_EQ(alert_values(sample)[static_cast<size_t>(AlertKind::kTemperature)], 70);
}

}  // namespace
}  // namespace snug
