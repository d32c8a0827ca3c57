// The promise as users see it: the process stays inside --memory, in every run, by the system's own account,
// and the picture is the same for every budget and every thread count. Also where the system itself sets the
// limit (ulimit -v).
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "tests/fixtures.h"
#include "tests/program.h"

namespace snug {
namespace {

using testing::ProgramResult;
using testing::run_program;
using testing::ScratchFolder;

std::string bytes_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class ProcessPeak : public ::testing::Test {
 protected:
  using Arguments = std::vector<std::string>;

  // Of sizes, batches, steps, precisions, formats and models, and from a picture.
  Arguments random_request() {
    Arguments arguments = {"generate", "--prompt", "a lake in the mountains", "--json", "--seed", "3"};
    const auto add = [&](const char* flag, const std::string& value) {
      arguments.insert(arguments.end(), {flag, value});
    };
    const auto one_of = [&](std::initializer_list<const char*> list) {
      return std::string(*(list.begin() + static_cast<std::ptrdiff_t>(random_() % list.size())));
    };
    format_ = one_of({"png", "jpeg", "webp"});
    add("--format", format_);
    add("--size", one_of({"64x64", "128x192", "256x256", "320x200", "512x384"}));
    add("--steps", one_of({"1", "2", "3"}));
    add("--precision", one_of({"f32", "bf16"}));
    if (random_() % 3 == 0) add("--batch", one_of({"2", "3"}));
    if (random_() % 3 == 0) {
      add("--image", start_picture());
      add("--strength", "1");  // else a run of one step has none left
    }
    if (random_() % 4 == 0) add("--model", testing::fixtures_dir() + "/sd15-tiny/model");
    return arguments;
  }

  const std::string& start_picture() {
    if (start_.empty()) {
      start_ = folder_.file("start.png");
      EXPECT_EQ(run_program({"generate", "--prompt", "a lake", "--steps", "1", "--output", start_}).exit_code,
                0);
    }
    return start_;
  }

  // What a refusal names as the smallest budget.
  static std::optional<uint64_t> smallest_budget(Arguments arguments) {
    arguments.insert(arguments.end(), {"--memory", "1MiB", "--threads", "4"});
    const ProgramResult refused = run_program(arguments);
    EXPECT_EQ(refused.exit_code == 0, false);
    const nlohmann::json report = nlohmann::json::parse(refused.out, nullptr, false);
    if (report.is_discarded()) return std::nullopt;
    EXPECT_EQ(report.at("error").at("code"), "over_budget") << refused.out;
    for (const nlohmann::json& way : report.at("error").value("ways_out", nlohmann::json::array())) {
      if (way.at("flag").get<std::string>().starts_with("--memory")) return way.at("memory_bytes");
    }
    return std::nullopt;
  }

  // The picture (of a batch: all of them) that the request makes within that budget; empty when it fails.
  std::string picture_within(Arguments arguments, uint64_t budget_bytes, int threads,
                             const std::string& what) {
    const ScratchFolder folder("process_peak_run");
    arguments.insert(arguments.end(), {"--memory", std::to_string(budget_bytes / kKiB) + "KiB", "--threads",
                                       std::to_string(threads), "--output", folder.file("out." + format_)});
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, 0) << what << result.err << result.out;
    if (result.exit_code != 0) return {};
    const nlohmann::json report = nlohmann::json::parse(result.out);
    const uint64_t planned = report.at("planned").at("peak_bytes");
    EXPECT_LE(planned, budget_bytes) << what;
    EXPECT_LE(result.peak_bytes, budget_bytes) << what;
    if (!report.at("measured").at("peak_bytes").is_null()) {
      const uint64_t measured = report.at("measured").at("peak_bytes");
      EXPECT_LE(measured, planned) << what;
      worst_share_ = std::max(worst_share_, static_cast<double>(measured) / static_cast<double>(planned));
    }
    std::string pictures;
    for (const nlohmann::json& path : report.at("outputs")) pictures += bytes_of_file(path);
    ++runs_;
    return pictures;
  }

  std::mt19937 random_{20};
  ScratchFolder folder_{"process_peak"};
  std::string start_, format_ = "png";
  double worst_share_ = 0;
  int runs_ = 0;
};

TEST_F(ProcessPeak, StaysInsideEveryBudgetAndThePictureIsTheSame) {
  constexpr int kRequests = 13, kBudgets = 5;
  for (int i = 0; i < kRequests; ++i) {
    const Arguments request = random_request();
    std::string words;
    for (const std::string& word : request) words += word + " ";
    const std::optional<uint64_t> smallest = smallest_budget(request);
    ASSERT_TRUE(smallest) << words;
    std::string expected;
    for (int b = 0; b < kBudgets; ++b) {
      const double times = b == 0 ? 1 : 1 + 2 * static_cast<double>(random_() % 1000) / 1000;
      const auto budget = static_cast<uint64_t>(static_cast<double>(*smallest) * times);
      const int threads = 1 + static_cast<int>(random_() % 4);
      const std::string what =
          words + "within " + format_bytes(budget) + " with " + std::to_string(threads) + " threads\n";
      const std::string picture = picture_within(request, budget, threads, what);
      if (expected.empty()) expected = picture;
      EXPECT_TRUE(picture == expected) << what;
    }
  }
  std::printf("[ peak   ] %d runs; at most %.1f %% of the planned peak\n", runs_, 100 * worst_share_);
  EXPECT_GE(runs_, 60);
}

TEST_F(ProcessPeak, AddressSpaceLimitsAreKeptOrRefused) {
  constexpr uint64_t kStep = 8 * kMiB;
  uint64_t least = 0;
  std::string expected;
  for (uint64_t limit = 64 * kMiB; limit <= 256 * kMiB; limit += kStep) {
    const std::string output = folder_.file("limited.png");
    const ProgramResult result =
        run_program({"generate", "--prompt", "a lake", "--seed", "1", "--size", "256x256", "--steps", "1",
                     "--threads", "2", "--json", "--output", output},
                    {.address_space_limit = limit});
    if (result.exit_code != 0) {
      EXPECT_EQ(least, 0U) << "more is no worse: " << limit;
      EXPECT_LT(result.exit_code, 126) << limit << ": " << result.err;  // no signal
      EXPECT_FALSE(std::filesystem::exists(output)) << limit;
      continue;
    }
    if (least == 0) least = limit;
    const std::string picture = bytes_of_file(output);
    if (expected.empty()) expected = picture;
    EXPECT_TRUE(picture == expected) << limit;
    std::filesystem::remove(output);
  }
  std::printf("[ peak   ] 256x256 completes under ulimit -v from %llu MiB\n",
              static_cast<unsigned long long>(least / kMiB));
  EXPECT_GT(least, 0U);
  EXPECT_LE(least, 160 * kMiB);
}

}  // namespace
}  // namespace snug
