// Exports of what the store of samples kept: each row once, in order, with the values that the store gives;
// what was not known is not there; summaries where the samples are gone.
#include "monitor/exports/export_samples.h"

#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "jobs/store_fixture.h"
#include "monitor/exports/csv.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

class SampleExportTest : public StoreTest {
 protected:
  // Every 5 s from `begin_ms`; each knows the fields whose number is not a multiple of three.
  void keep(int64_t begin_ms, int count) {
    std::vector<Sample> samples;
    for (int i = 0; i < count; ++i) {
      Sample& sample = samples.emplace_back();
      sample.time_ms = begin_ms + 5000 * i;
      for (size_t field = 0; field < kSampleFieldCount; ++field) {
        if (field % 3 != 0) sample.values[field] = 0.25 * i + static_cast<double>(field);
      }
    }
    store().write(samples);
  }
  SampleStore& store() {
    if (!store_) store_.emplace(database());
    return *store_;
  }
  std::string exported(ExportForm form, bool with_extremes = false) {
    std::string text;
    export_samples(form, store(),
                   {.from_ms = kStartMs - 7'200'000, .to_ms = kStartMs + 1, .with_extremes = with_extremes},
                   [&](std::string_view piece) { text += piece; });
    return text;
  }
  std::optional<SampleStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Databases, SampleExportTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(SampleExportTest, HasEachSampleOnceAsItWas) {
  constexpr int kSamples = 1000;
  keep(kStartMs - 5000 * (kSamples - 1), kSamples);
  const ordered_json json = ordered_json::parse(exported(ExportForm::kJson));
  ASSERT_EQ(json.size(), static_cast<size_t>(kSamples));
  for (int i = 0; i < kSamples; ++i) {
    EXPECT_EQ(json[i]["time_ms"], kStartMs - 5000 * (kSamples - 1 - i));
    EXPECT_EQ(json[i]["resolution"], "sample");
    for (const SampleFieldInfo& info : sample_fields()) {
      const auto field = static_cast<size_t>(info.field);
      const ordered_json& value = json[i][std::string(info.name)];
      if (field % 3 == 0) {
        EXPECT_TRUE(value.is_null()) << info.name;
      } else {
        EXPECT_DOUBLE_EQ(value.get<double>(), 0.25 * i + static_cast<double>(field));
      }
    }
  }
}

TEST_P(SampleExportTest, HasTheSameInEveryForm) {
  keep(kStartMs - 5000 * 9, 10);
  const ordered_json json = ordered_json::parse(exported(ExportForm::kJson, true));
  const std::string csv = exported(ExportForm::kCsv, true);
  CsvReader reader(csv);
  const std::vector<std::string> header = *reader.next();
  std::istringstream bulk(exported(ExportForm::kElasticsearch, true)),
      points(exported(ExportForm::kInflux, true));
  for (const ordered_json& row : json) {
    const std::vector<std::string> fields = *reader.next();
    ASSERT_EQ(fields.size(), row.size());
    for (size_t i = 0; i < fields.size(); ++i) {
      const ordered_json& value = row[header[i]];
      EXPECT_EQ(fields[i].empty(), value.is_null()) << header[i];
      if (value.is_number()) {
        EXPECT_EQ(std::stod(fields[i]), value.get<double>()) << header[i];
      }
    }
    std::string action, document, point;
    std::getline(bulk, action);
    std::getline(bulk, document);
    EXPECT_EQ(ordered_json::parse(action)["index"]["_id"],
              fmt::format("sample-{}", row["time_ms"].get<int64_t>()));
    ordered_json read = ordered_json::parse(document);
    read.erase("@timestamp");
    EXPECT_EQ(read.dump(), row.dump());
    std::getline(points, point);
    EXPECT_TRUE(point.starts_with("snug_sample,resolution=sample time_ms=")) << point;
    EXPECT_TRUE(point.ends_with(fmt::format(" {}000000", row["time_ms"].get<int64_t>()))) << point;
  }
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_EQ(json[0].size(), 3 + 3 * kSampleFieldCount);
}

TEST_P(SampleExportTest, TakesSummariesWhereSamplesAreGone) {
  keep(kStartMs - 7'200'000, 720);
  now_ms_ = kStartMs + 172'800'000;
  keep(kStartMs + 172'800'000, 1);  // two days later: single samples are older than they are kept
  const ordered_json json = ordered_json::parse(exported(ExportForm::kJson));
  ASSERT_EQ(json.size(), 60u);
  int64_t samples = 0;
  for (const ordered_json& row : json) {
    EXPECT_EQ(row["resolution"], "minute");
    samples += row["samples"].get<int64_t>();
  }
  EXPECT_EQ(samples, 720);
}

TEST_P(SampleExportTest, RefusesTracesAndEndsWhenStopped) {
  EXPECT_EQ(error_of([&] { exported(ExportForm::kOtlp); }).code(), ErrorCode::kUnsupported);
  Cancellation cancellation;
  cancellation.request();
  const auto export_all = [&] {
    export_samples(
        ExportForm::kCsv, store(), {0, 1, false}, [](auto) {}, &cancellation);
  };
  EXPECT_EQ(error_of(export_all).code(), ErrorCode::kCancelled);
}

}  // namespace
}  // namespace snug
