// Budgets that make no sense, files that change while they are streamed, disks that are full: an error that
// says what to do, and no partial picture.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "pipeline/generate.h"
#include "tests/fixtures.h"
#include "tests/program.h"

namespace snug {
namespace {

using testing::ProgramOptions;
using testing::ProgramResult;
using testing::run_program;
using testing::ScratchFolder;

class BadBudget : public ::testing::Test {
 protected:
  // The error of a run that has to fail; nothing of a picture is left.
  nlohmann::json error_of(std::vector<std::string> more, const ProgramOptions& options = {}) {
    std::vector<std::string> arguments = {"generate", "--prompt", "a lake",   "--seed",
                                          "1",        "--json",   "--output", folder_.file("out.png")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = run_program(arguments, options);
    EXPECT_NE(result.exit_code, 0);
    EXPECT_LT(result.exit_code, 126) << result.err;  // no signal
    EXPECT_EQ(folder_.count(), 0U);
    seconds_ = result.seconds;
    const std::string& text = result.out.empty() ? result.err : result.out;
    const nlohmann::json report = nlohmann::json::parse(text, nullptr, false);
    EXPECT_TRUE(report.is_object() && report.contains("error")) << text;
    return report.is_object() ? report.value("error", nlohmann::json::object()) : nlohmann::json::object();
  }

  static std::string text(const nlohmann::json& error) { return error.dump(); }

  ScratchFolder folder_{"bad_budget"};
  double seconds_ = 0;
};

TEST_F(BadBudget, WhatIsNoSizeIsRefusedWithAnExample) {
  for (const char* memory : {"0", "0MiB", "-1", "-700MiB", "700", "many", "1e3", "MiB", "nanMiB",
                             "700 parrots", "99999999999999999999GiB"}) {
    const nlohmann::json error = error_of({std::string("--memory=") + memory});
    EXPECT_EQ(error.value("code", ""), "invalid_argument") << memory << text(error);
    EXPECT_NE(text(error).find("MiB"), std::string::npos) << memory << text(error);
  }
}

TEST_F(BadBudget, MoreThanTheMachineHasIsRefused) {
  const nlohmann::json error = error_of({"--memory", "900TiB"});
  EXPECT_EQ(error.value("code", ""), "invalid_argument") << text(error);
}

TEST_F(BadBudget, TooLittleIsRefusedQuicklyWithWaysOutThatWork) {
  const nlohmann::json error = error_of({"--memory", "20MiB", "--size", "256x256", "--steps", "1"});
  EXPECT_EQ(error.value("code", ""), "over_budget") << text(error);
  EXPECT_LT(seconds_, 3);  // 1 s is promised; other tests run beside this one
  const nlohmann::json ways = error.value("ways_out", nlohmann::json::array());
  ASSERT_FALSE(ways.empty());
  for (const nlohmann::json& way : ways) {
    const std::string flag = way.at("flag");
    const size_t space = flag.find(' ');
    std::vector<std::string> arguments = {
        "generate", "--prompt", "a lake", "--seed", "1", "--steps", "1", "--output", folder_.file("out.png")};
    const bool memory = flag.starts_with("--memory"), size = flag.starts_with("--size");
    if (!memory) arguments.insert(arguments.end(), {"--memory", "20MiB"});
    if (!size) arguments.insert(arguments.end(), {"--size", "256x256"});
    arguments.insert(arguments.end(), {flag.substr(0, space), flag.substr(space + 1)});
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, 0) << flag << result.err;
    std::filesystem::remove(folder_.file("out.png"));
  }
}

// A model in files, of which one changes while a run streams it again and again.
class ChangingModel : public BadBudget {
 protected:
  void SetUp() override {
    std::filesystem::copy(testing::fixtures_dir() + "/sd15-tiny/model", model_.path() / "model",
                          std::filesystem::copy_options::recursive);
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(model_.path() / "model" / "unet")) {
      if (entry.path().extension() == ".safetensors") unet_ = entry.path();
    }
    ASSERT_FALSE(unet_.empty());
    std::filesystem::permissions(unet_, std::filesystem::perms::owner_all);
  }

  std::string smallest_budget() {
    const nlohmann::json error = error_of({"--model", model(), "--size", "128x128", "--memory", "1MiB"});
    for (const nlohmann::json& way : error.value("ways_out", nlohmann::json::array())) {
      const std::string flag = way.at("flag");
      if (flag.starts_with("--memory ")) return flag.substr(9);
    }
    return {};
  }
  std::string model() const { return (model_.path() / "model").string(); }

  ScratchFolder model_{"bad_budget_model"};
  std::filesystem::path unet_;
};

TEST_F(ChangingModel, AFileThatShrinksWhileItIsReadIsTruncated) {
  // Just before its weights come: the text is being encoded, the model's file has long been opened.
  for (const char* stage : {"encode", "denoise"}) {
    RequestFields fields;
    fields.model = model();
    fields.prompt = "a lake";
    fields.seed = 1;
    fields.steps = 2;
    fields.width = fields.height = 128;
    fields.output = folder_.file("out.png");
    const uint64_t whole_bytes = std::filesystem::file_size(unet_);
    const std::filesystem::path kept = model_.path() / "kept";
    std::filesystem::copy_file(unet_, kept, std::filesystem::copy_options::overwrite_existing);
    GenerateOptions options;
    options.progress = [&](const Progress& progress) {
      if (progress.stage == stage) std::filesystem::resize_file(unet_, whole_bytes / 3);
    };
    try {
      generate(fields, options);
      ADD_FAILURE() << "read what is not there";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kTruncated) << error.what();
      EXPECT_EQ(std::filesystem::path(error.file()).filename(), unet_.filename());
      EXPECT_NE(error.tensor(), "");
    }
    EXPECT_EQ(folder_.count(), 0U);
    std::filesystem::copy_file(kept, unet_, std::filesystem::copy_options::overwrite_existing);
  }
}

TEST_F(ChangingModel, AFileThatIsRemovedWhileItIsOpenIsReadToItsEnd) {
  std::thread removing([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    std::filesystem::remove(unet_);
  });
  const ProgramResult result =
      run_program({"generate", "--prompt", "a lake", "--seed", "1", "--model", model(), "--size", "64x64",
                   "--steps", "100", "--memory", smallest_budget(), "--output", folder_.file("out.png")});
  removing.join();
  // Before it was opened: an error; after: the system keeps it until it is closed.
  EXPECT_EQ(std::filesystem::exists(folder_.file("out.png")), result.exit_code == 0) << result.err;
  EXPECT_LT(result.exit_code, 126) << result.err;
}

}  // namespace
}  // namespace snug
