// NVIDIA's library by a stand-in that this build makes: several cards, a lost one, other processes' memory,
// and machines without any.
#include "monitor/samples/nvml.h"

#include <unistd.h>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "monitor/samples/fake_nvml/fake_nvml.h"

namespace snug {
namespace {

constexpr double kGib = 1024.0 * 1024 * 1024;

class NvmlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    library_ = ::dlopen(SNUG_FAKE_NVML, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << ::dlerror();
    fake_ = static_cast<FakeNvml*>(::dlsym(library_, "fake_nvml"));
    ASSERT_NE(fake_, nullptr);
    *fake_ = {};
    FakeCard& first = fake_->cards[0];
    first.name = "NVIDIA H200";
    first.uuid = "GPU-1";
    first.utilization.gpu = 35;
    first.memory = {16ULL << 30, 10ULL << 30, 6ULL << 30};
    first.power_milliwatts = 120'500;
    first.temperature_celsius = 61;
    first.clock_megahertz = 1200;
    first.clock_limit_megahertz = 1980;
    first.throttle_bits = 0x4 | 0x40;
    first.processes[0] = {static_cast<unsigned>(::getpid()), 4ULL << 30, 0, 0};
    first.processes[1] = {1, 1ULL << 30, 0, 0};
    first.process_count = 2;
    FakeCard& second = fake_->cards[1];
    second.name = "NVIDIA L4";
    second.uuid = "GPU-2";
    second.utilization.gpu = 90;
    second.memory = {24ULL << 30, 23ULL << 30, 1ULL << 30};
    second.power_milliwatts = 30'000;
    second.temperature_celsius = 40;
  }
  void TearDown() override {
    if (library_ != nullptr) ::dlclose(library_);
  }
  void read() {
    Nvml nvml(SNUG_FAKE_NVML);
    nvml.read(gpus_);
    fill_gpu_fields(gpus_, nvml.problem(), sample_, reasons_);
  }
  const std::string& reason(SampleField field) const { return reasons_[static_cast<size_t>(field)]; }

  void* library_ = nullptr;
  FakeNvml* fake_ = nullptr;
  std::vector<GpuSample> gpus_;
  Sample sample_;
  SampleReasons reasons_;
};

TEST_F(NvmlTest, EachCardIsReadAndTheyAreAddedUp) {
  read();
  ASSERT_EQ(gpus_.size(), 2u);
  EXPECT_EQ(gpus_[0].name, "NVIDIA H200");
  EXPECT_EQ(gpus_[1].uuid, "GPU-2");
  EXPECT_EQ(gpus_[0].problem, "");
  EXPECT_EQ(gpus_[0].memory_used_bytes, 6 * kGib);
  EXPECT_EQ(gpus_[0].memory_other_bytes, 1 * kGib) << "not this process's own four";
  EXPECT_EQ(gpus_[1].memory_other_bytes, 0);
  EXPECT_EQ(gpus_[0].clock_hertz, 1.2e9);
  EXPECT_EQ(gpus_[0].clock_limit_hertz, 1.98e9);
  EXPECT_EQ(gpus_[0].throttle_reasons, (std::vector<std::string>{"power_cap", "hardware_thermal"}));
  EXPECT_EQ(gpus_[1].throttle_reasons, std::vector<std::string>{});
  EXPECT_EQ(sample_[SampleField::kGpuUtilizationPercent], 90);
  EXPECT_EQ(sample_[SampleField::kGpuMemoryTotal], 40 * kGib);
  EXPECT_EQ(sample_[SampleField::kGpuMemoryUsed], 7 * kGib);
  EXPECT_EQ(sample_[SampleField::kGpuMemoryOther], 1 * kGib);
  EXPECT_EQ(sample_[SampleField::kGpuPower], 150.5);
  EXPECT_EQ(sample_[SampleField::kGpuTemperature], 61);
  EXPECT_EQ(fake_->initialized, 0) << "what was begun is ended";
}

TEST_F(NvmlTest, ALostCardHasNoNumbersAndTheOthersHaveTheirs) {
  fake_->cards[0].state = nvml::kGpuIsLost;
  read();
  ASSERT_EQ(gpus_.size(), 2u);
  EXPECT_EQ(gpus_[0].utilization_percent, std::nullopt);
  EXPECT_EQ(gpus_[0].throttle_reasons, std::nullopt);
  EXPECT_NE(gpus_[0].problem.find("GPU is lost"), std::string::npos) << gpus_[0].problem;
  EXPECT_EQ(gpus_[1].utilization_percent, 90);
  EXPECT_EQ(sample_[SampleField::kGpuMemoryUsed], std::nullopt) << "a sum with a card missing is none";
  EXPECT_NE(reason(SampleField::kGpuMemoryUsed).find("GPU is lost"), std::string::npos);
  EXPECT_EQ(sample_[SampleField::kGpuTemperature], 40);
}

TEST_F(NvmlTest, WhatACardDoesNotSupportIsAbsentAlone) {
  fake_->cards[1].power_state = nvml::kNotSupported;
  read();
  EXPECT_EQ(gpus_[1].power_watts, std::nullopt);
  EXPECT_EQ(gpus_[1].problem, "power: Not Supported");
  EXPECT_EQ(gpus_[1].temperature_celsius, 40);
  EXPECT_EQ(reason(SampleField::kGpuPower), "GPU 1: power: Not Supported");
}

TEST_F(NvmlTest, MoreProcessesThanExpectedAreAllCounted) {
  FakeCard& card = fake_->cards[1];
  card.process_count = 100;
  for (unsigned i = 0; i < 100; ++i) card.processes[i] = {100'000'000 + i, 1024, 0, 0};
  read();
  EXPECT_EQ(gpus_[1].memory_other_bytes, 102'400);
}

TEST_F(NvmlTest, MemoryThatTheSystemDoesNotTellIsAbsent) {
  fake_->cards[0].processes[1].used_gpu_memory = nvml::kNotAvailable;
  read();
  EXPECT_EQ(gpus_[0].memory_other_bytes, std::nullopt);
  EXPECT_NE(gpus_[0].problem.find("compute processes"), std::string::npos);
  EXPECT_EQ(gpus_[0].memory_used_bytes, 6 * kGib);
}

TEST_F(NvmlTest, ADriverThatDoesNotWorkIsAReason) {
  fake_->init_result = nvml::kUnknown;
  read();
  EXPECT_TRUE(gpus_.empty());
  EXPECT_EQ(reason(SampleField::kGpuPower), "the NVIDIA driver does not work: Unknown Error");
  fake_->init_result = nvml::kSuccess;
  fake_->card_count = 0;
  read();
  EXPECT_EQ(reason(SampleField::kGpuPower), "the NVIDIA driver finds no card");
}

TEST(NvmlWithoutLibrary, IsAReasonAndNoCrash) {
  Nvml nvml("libsnug-no-such-library.so.1");
  std::vector<GpuSample> gpus(3);
  nvml.read(gpus);
  EXPECT_TRUE(gpus.empty());
  EXPECT_NE(nvml.problem().find("there is no NVIDIA driver"), std::string::npos);
  // A library without the functions, as another one under that name would be.
  Nvml other("libm.so.6");
  other.read(gpus);
  EXPECT_TRUE(gpus.empty());
  EXPECT_NE(other.problem(), "");
}

}  // namespace
}  // namespace snug
