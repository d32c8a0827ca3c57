// Calibrating measures every rate that plans use, in about the time that it is given, and what it finds is
// accepted when it is kept.
#include "pipeline/calibrate.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "pipeline/measure_disk.h"
#include "pipeline/rates_file.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

TEST(Calibrate, MeasuresEveryRateAndWhatItFindsCanBeKept) {
  const Calibration found = calibrate(cpu_backend(), {.model_file = {}, .budget_seconds = 1, .progress = {}});
  std::set<std::string> names;
  for (const MeasuredRate& rate : found.table) {
    EXPECT_TRUE(names.insert(rate.name).second) << rate.name;
    EXPECT_FALSE(rate.how.empty()) << rate.name;
    if (rate.value.has_value()) {
      EXPECT_TRUE(std::isfinite(*rate.value) && *rate.value > 0) << rate.name;
    }
    std::printf("measured: %-24s %12.4g %s\n", rate.name.c_str(), rate.value.value_or(0), rate.unit.c_str());
  }
  EXPECT_EQ(names.size(), 13u);
  EXPECT_EQ(found.rates.source, RatesSource::kMeasured);
  EXPECT_LT(found.seconds, 20);

  const fs::path folder = fs::temp_directory_path() / ("snug_calibrate_" + std::to_string(::getpid()));
  const std::string path = (folder / "rates.json").string();
  save_rates(path, rates_key(cpu_backend()), found.rates);
  const auto kept = load_rates(path, rates_key(cpu_backend()));
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->f32_flops, found.rates.f32_flops);
  fs::remove_all(folder);
}

TEST(MeasureDisk, ReadsTheModelsOwnFileAndSaysWhenItIsNotThere) {
  const fs::path path = fs::temp_directory_path() / ("snug_measure_" + std::to_string(::getpid()));
  std::ofstream(path) << std::string(5'000'001, 'x');
  const DiskRates rates = measure_disk(path.string(), 0.2);
  EXPECT_EQ(rates.file, path.string());
  EXPECT_GT(rates.read_bytes.value_or(0), 1e6);
  EXPECT_GE(rates.read_core_seconds.value_or(-1), 0);
  std::ofstream(path, std::ios::trunc).close();
  EXPECT_FALSE(measure_disk(path.string(), 0.2).read_bytes.has_value());
  fs::remove(path);
  EXPECT_THROW(measure_disk(path.string(), 0.2), Error);
}

TEST(MeasureDisk, AFolderThatCannotBeWrittenIsANote) {
  const char* const before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  ASSERT_EQ(::setenv("TMPDIR", "/dev/null", 1), 0);
  const DiskRates rates = measure_disk("", 0.2);
  EXPECT_FALSE(rates.spill_bytes.has_value());
  EXPECT_NE(rates.note.find("TMPDIR"), std::string::npos) << rates.note;
  if (kept.empty()) {
    ::unsetenv("TMPDIR");
  } else {
    ::setenv("TMPDIR", kept.c_str(), 1);
  }
}

}  // namespace
}  // namespace snug
