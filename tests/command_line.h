// What tests of the command line share: the program run in a folder of its own, and what every refusal is.
#pragma once

#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tests/program.h"

namespace snug::testing {

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// One line on standard error that holds each of `texts`, nothing on standard output, this exit code.
inline void expect_refusal(const ProgramResult& result, int exit_code,
                           const std::vector<std::string>& texts) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.starts_with("snug: error: ")) << result.err;
  for (const std::string& text : texts) EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
}

inline int exit_code_of(const std::string& word) {
  for (const ErrorInfo& info : error_table()) {
    if (info.word == word) return info.exit_code;
  }
  return -1;
}

class CommandLineTest : public ::testing::Test {
 protected:
  ProgramResult run(const std::vector<std::string>& arguments, ProgramOptions options = {}) const {
    options.folder = folder_.path();
    return run_program(arguments, options);
  }
  ScratchFolder folder_{::testing::UnitTest::GetInstance()->current_test_info()->name()};
};

}  // namespace snug::testing
