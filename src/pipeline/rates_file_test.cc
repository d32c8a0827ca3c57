// Rates come back as they were kept, by machine; and nothing that a file may hold does more than be ignored.
#include "pipeline/rates_file.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/cores.h"
#include "base/error.h"
#include "base/log.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

class RatesFile : public ::testing::Test {
 protected:
  RatesFile() : folder_(fs::temp_directory_path() / ("snug_rates_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    spdlog::set_level(spdlog::level::off);  // damage is warned of, and there is much of it here
  }
  ~RatesFile() override {
    fs::remove_all(folder_);
    spdlog::set_level(spdlog::level::warn);
  }

  std::string path() const { return (folder_ / "cache/snug/rates.json").string(); }
  void write(const std::string& text) const {
    fs::create_directories(fs::path(path()).parent_path());
    std::ofstream(path()) << text;
  }
  nlohmann::json read() const { return nlohmann::json::parse(std::ifstream(path())); }

  static Rates some_rates() {
    Rates rates = built_in_rates("avx2", 2);
    rates.source = RatesSource::kMeasured;
    rates.f32_flops = {81.5e9, 92e9, 43e9, 0};
    rates.read_core_seconds = 3e-10;
    rates.direct_read_bytes = 2.5e9;
    return rates;
  }
  const RatesKey key_{"A processor", "avx2", 2};
  fs::path folder_;
};

TEST_F(RatesFile, ComesBackAsItWasKept) {
  EXPECT_FALSE(load_rates(path(), key_).has_value());
  save_rates(path(), key_, some_rates());
  const auto loaded = load_rates(path(), key_);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->source, RatesSource::kMeasured);
  EXPECT_EQ(loaded->f32_flops, some_rates().f32_flops);
  EXPECT_EQ(loaded->bf16_flops, some_rates().bf16_flops);
  EXPECT_EQ(loaded->read_core_seconds, 3e-10);
  EXPECT_EQ(loaded->direct_read_bytes, 2.5e9);
  EXPECT_EQ(loaded->threads, 2);
}

TEST_F(RatesFile, WhatWasCalibratedStaysWhenRunsRefine) {
  Rates rates = some_rates();
  rates.calibrated = {rates.f32_flops, rates.bf16_flops, rates.memory_bytes};
  WorkSeconds slow;
  slow.predicted.fill(1);
  slow.actual.fill(3);
  save_rates(path(), key_, refine(rates, DType::kF32, slow));
  const auto loaded = load_rates(path(), key_);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_LT(loaded->f32_flops[0], rates.f32_flops[0]);
  ASSERT_TRUE(as_calibrated(*loaded).has_value());
  EXPECT_EQ(as_calibrated(*loaded)->f32_flops, rates.f32_flops);
  EXPECT_EQ(as_calibrated(*loaded)->memory_bytes, rates.memory_bytes);
  EXPECT_FALSE(as_calibrated(built_in_rates("avx2", 2)).has_value());
}

TEST_F(RatesFile, AnotherNumberOfThreadsIsScaledByCoresAndSaysSo) {
  EXPECT_FALSE(scaled_rates(path(), key_).has_value());
  const RatesKey one{"A processor", "avx2", 1}, many{"A processor", "avx2", 1000};
  Rates rates = some_rates();
  rates.threads = 1;
  save_rates(path(), one, rates);
  const auto scaled = scaled_rates(path(), many);
  ASSERT_TRUE(scaled.has_value());
  EXPECT_EQ(scaled->source, RatesSource::kScaled);
  EXPECT_EQ(scaled->threads, 1000);
  // No faster than the cores that there are.
  EXPECT_DOUBLE_EQ(scaled->f32_flops[0], rates.f32_flops[0] * core_layout().physical);
  EXPECT_EQ(scaled->read_bytes, rates.read_bytes);
  EXPECT_FALSE(scaled_rates(path(), {"Another", "avx2", 2}).has_value());
}

TEST_F(RatesFile, MachinesHaveEntriesOfTheirOwn) {
  save_rates(path(), key_, some_rates());
  for (const RatesKey& other : {RatesKey{"Another", "avx2", 2}, RatesKey{"A processor", "avx512", 2},
                                RatesKey{"A processor", "avx2", 4}}) {
    EXPECT_FALSE(load_rates(path(), other).has_value());
    save_rates(path(), other, built_in_rates("avx512", 1));
  }
  Rates newer = some_rates();
  newer.memory_bytes = 12e9;
  save_rates(path(), key_, newer);
  EXPECT_EQ(read().at("machines").size(), 4u);
  EXPECT_EQ(load_rates(path(), key_)->memory_bytes, 12e9);
}

TEST_F(RatesFile, WhateverElseItHoldsIsIgnoredAndReplaced) {
  for (
      const char* text :
      {"", "{", "\xff\xfe", "[]", "7", R"({"version": 2, "machines": []})", R"({"version": 1})",
       R"({"version": 1, "machines": {}})", R"({"version": 1, "machines": [3, null, {"threads": "x"}]})",
       R"({"version": 1, "machines": [{"processor": "A processor", "instruction_set": "avx2", "threads": 2}]})"}) {
    write(text);
    EXPECT_FALSE(load_rates(path(), key_).has_value()) << text;
    save_rates(path(), key_, some_rates());
    EXPECT_TRUE(load_rates(path(), key_).has_value()) << text;
  }
}

TEST_F(RatesFile, NumbersThatNoMachineHasAreIgnored) {
  for (const char* field : {"memory_bytes", "expand_elements", "read_bytes", "direct_read_bytes",
                            "spill_bytes", "kernel_seconds", "read_core_seconds"}) {
    for (const nlohmann::json& value :
         {nlohmann::json(-1), nlohmann::json(1e300), nlohmann::json("fast"), nlohmann::json(nullptr)}) {
      save_rates(path(), key_, some_rates());
      nlohmann::json root = read();
      root["machines"][0][field] = value;
      write(root.dump());
      EXPECT_FALSE(load_rates(path(), key_).has_value()) << field << " " << value;
    }
  }
  save_rates(path(), key_, some_rates());
  nlohmann::json root = read();
  root["machines"][0]["f32_flops"].erase("attention");
  write(root.dump());
  EXPECT_FALSE(load_rates(path(), key_).has_value());
}

TEST_F(RatesFile, WhatCannotBeReadOrWrittenIsNoFailureOfARun) {
  fs::create_directories(path());  // a folder in its place
  EXPECT_FALSE(load_rates(path(), key_).has_value());
  EXPECT_THROW(save_rates(path(), key_, some_rates()), Error);
  EXPECT_THROW(save_rates("", key_, some_rates()), Error);
  EXPECT_THROW(save_rates("/dev/null/snug/rates.json", key_, some_rates()), Error);
  EXPECT_FALSE(load_rates("", key_).has_value());
}

TEST_F(RatesFile, PlansUseTheBuiltInOnesUntilSomethingIsKept) {
  ASSERT_EQ(::setenv("XDG_CACHE_HOME", (folder_ / "cache").c_str(), 1), 0);
  EXPECT_EQ(rates_path(), path());
  const Backend& backend = reference_backend();
  EXPECT_EQ(rates_of_machine(backend).source, RatesSource::kBuiltIn);
  WorkSeconds seconds;
  refine_rates_of_machine(backend, DType::kF32, seconds);  // says nothing
  EXPECT_FALSE(fs::exists(path()));
  seconds.predicted[0] = 1;
  seconds.actual[0] = 1.5;
  refine_rates_of_machine(backend, DType::kF32, seconds);
  const Rates refined = rates_of_machine(backend);
  EXPECT_EQ(refined.source, RatesSource::kRefined);
  EXPECT_LT(refined.f32_flops[0], built_in_rates("reference", 1).f32_flops[0] * refined.threads);
  ASSERT_EQ(::setenv("XDG_CACHE_HOME", "relative", 1), 0);
  EXPECT_EQ(rates_path().find("relative"), std::string::npos);
}

}  // namespace
}  // namespace snug
