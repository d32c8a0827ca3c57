// Every figure of a sample is on the page of metrics, once, under labels that its list has, and what is not
// known is not there.
#include "monitor/sample_metrics.h"

#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace snug {
namespace {

Sample full_sample() {
  Sample sample;
  sample.time_ms = 10'000;
  for (size_t i = 0; i < kSampleFieldCount; ++i) sample.values[i] = 1000.0 + static_cast<double>(i);
  GpuSample& gpu = sample.gpus.emplace_back();
  gpu.index = 1;
  gpu.utilization_percent = 50;
  gpu.memory_used_bytes = 2;
  gpu.memory_total_bytes = 3;
  gpu.memory_other_bytes = 1;
  gpu.power_watts = 4;
  gpu.temperature_celsius = 5;
  gpu.clock_hertz = 6;
  gpu.clock_limit_hertz = 7;
  return sample;
}

TEST(SampleMetrics, AreAllOfTheListUnderItsLabels) {
  std::set<std::string> rows;
  std::set<Metric> metrics;
  for (const MetricFigure& figure : sample_figures(full_sample(), 12'500)) {
    const MetricInfo& info = metric_info(figure.metric);
    std::string row(info.name), labels;
    for (const auto& [name, value] : figure.labels) {
      row += "," + name + "=" + value;
      labels += (labels.empty() ? "" : " ") + name;
    }
    EXPECT_EQ(labels, info.labels) << info.name;
    EXPECT_TRUE(rows.insert(row).second) << row << " is there twice";
    metrics.insert(figure.metric);
  }
  for (const MetricInfo& info : metric_list()) {
    const bool is_of_samples = info.metric >= Metric::kMachineCpu && info.metric <= Metric::kSampleAge;
    EXPECT_EQ(metrics.contains(info.metric), is_of_samples) << info.name;
  }
}

TEST(SampleMetrics, AreInBaseUnits) {
  Sample sample = full_sample();
  sample[SampleField::kCpuPercent] = 75;
  std::map<Metric, double> first;
  for (const MetricFigure& figure : sample_figures(sample, 12'500))
    first.emplace(figure.metric, figure.value);
  EXPECT_DOUBLE_EQ(first.at(Metric::kMachineCpu), 0.75);
  EXPECT_DOUBLE_EQ(first.at(Metric::kGpuUtilization), 0.5);
  EXPECT_DOUBLE_EQ(first.at(Metric::kSampleAge), 2.5);
}

TEST(SampleMetrics, LeaveOutWhatIsNotKnown) {
  Sample sample;
  sample.time_ms = 10'000;
  sample.gpus.emplace_back();
  const std::vector<MetricFigure> figures = sample_figures(sample, 9'000);
  ASSERT_EQ(figures.size(), 1u);
  EXPECT_EQ(figures[0].metric, Metric::kSampleAge);
  EXPECT_EQ(figures[0].value, 0);
}

}  // namespace
}  // namespace snug
