// The documents are true: the commands that they show run, their tables are the program's own, and every flag
// is described.

#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <gtest/gtest.h>

#include "tests/program.h"

namespace snug {
namespace {

using testing::run_program;
using testing::ScratchFolder;

// `name` is relative to the repository's root.
std::string document(const std::string& name) {
  std::ifstream file(std::string(SNUG_SOURCE_DIR "/") + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct ShownCommand {
  std::string line;
  int exit_code = 0;  // "# exit code 3" at the end of the line
};

// The lines that start with "$ " inside ```console blocks.
std::vector<ShownCommand> shown_commands(const std::string& text) {
  std::vector<ShownCommand> commands;
  std::istringstream lines(text);
  std::string line;
  bool inside = false;
  while (std::getline(lines, line)) {
    if (line.starts_with("```")) {
      inside = line == "```console";
    } else if (inside && line.starts_with("$ ")) {
      ShownCommand command{.line = line.substr(2), .exit_code = 0};
      constexpr std::string_view kMark = "# exit code ";
      const size_t mark = line.find(kMark);
      if (mark != std::string::npos) command.exit_code = std::stoi(line.substr(mark + kMark.size()));
      commands.push_back(command);
    }
  }
  return commands;
}

// Every "--flag" of a command's help.
std::vector<std::string> long_flags(const std::string& help) {
  std::vector<std::string> flags;
  std::istringstream lines(help);
  std::string line;
  while (std::getline(lines, line)) {
    const size_t begin = line.find("--");
    const bool is_option = line.starts_with("  -") && begin < 8;
    if (!is_option) continue;
    const size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", begin);
    flags.push_back(line.substr(begin, end - begin));
  }
  return flags;
}

// Runs what a document shows from top to bottom in one empty folder, so that later commands find the pictures
// of earlier ones.
class EachDocument : public ::testing::TestWithParam<std::pair<const char*, size_t>> {};

TEST_P(EachDocument, ShowsCommandsThatRun) {
  const auto [name, at_least] = GetParam();
  const ScratchFolder folder("docs");
  const std::filesystem::path bin = folder.path() / "bin";
  std::filesystem::create_directories(bin);
  std::filesystem::create_symlink(SNUG_PROGRAM, bin / "snug");
  // Models and manifests that the documents take from the checkout.
  std::filesystem::create_directory_symlink(SNUG_SOURCE_DIR "/tests", folder.path() / "tests");
  std::filesystem::create_directories(folder.path() / "docs/pictures");  // where they draw
  const std::string text = document(name);
  ASSERT_FALSE(text.empty()) << name << " is not there";
  const std::vector<ShownCommand> commands = shown_commands(text);
  EXPECT_GE(commands.size(), at_least) << name;
  for (const ShownCommand& command : commands) {
    const auto result =
        run_program({"-c", command.line}, {.program = "/bin/sh",
                                           .folder = folder.path(),
                                           .environment = {{"PATH", bin.string() + ":/usr/bin:/bin"}}});
    EXPECT_EQ(result.exit_code, command.exit_code) << name << " shows\n$ " << command.line << "\n"
                                                   << result.err;
  }
}

// With the least number of commands that the search has to find: one that finds nothing tests nothing.
// CONTRIBUTING.md shows none yet; those that it will show are run.
INSTANTIATE_TEST_SUITE_P(Documents, EachDocument,
                         ::testing::Values(std::pair("docs/cli.md", size_t{10}),
                                           std::pair("README.md", size_t{9}),
                                           std::pair("docs/memory.md", size_t{1}),
                                           std::pair("CONTRIBUTING.md", size_t{0})),
                         [](const auto& instance) {
                           std::string name = std::filesystem::path(instance.param.first).stem().string();
                           name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
                           return name;
                         });

TEST(Documents, TheTablesAreThoseOfTheProgram) {
  const std::string errors = run_program({"help", "errors"}).out;
  EXPECT_GT(errors.size(), 1000u);
  EXPECT_NE(document("docs/errors.md").find(errors), std::string::npos)
      << "docs/errors.md should hold the output of `snug help errors`:\n"
      << errors;
  const std::string settings = run_program({"help", "configuration"}).out;
  const size_t begin = settings.find("| key");
  const size_t end = settings.rfind("|\n") + 2;
  EXPECT_NE(document("docs/configuration.md").find(settings.substr(begin, end - begin)), std::string::npos)
      << "docs/configuration.md should hold the table of `snug help configuration`:\n"
      << settings;
}

TEST(Documents, EveryFlagIsDescribed) {
  const std::string manual = document("docs/cli.md");
  std::string page = document("docs/snug.1");
  for (size_t at = page.find("\\-"); at != std::string::npos; at = page.find("\\-", at)) page.erase(at, 1);
  for (const char* command :
       {"generate", "plan", "profile", "inspect", "models", "system", "calibrate", "tune", "serve", "token",
        "cache", "export", "config", "status", "history", "report", "monitor", "advise", "optimize"}) {
    const std::vector<std::string> flags = long_flags(run_program({command, "--help"}).out);
    EXPECT_GE(flags.size(), 2u) << command;
    for (const std::string& flag : flags) {
      EXPECT_NE(manual.find("`" + flag), std::string::npos) << "docs/cli.md lacks " << flag;
      EXPECT_NE(page.find(flag), std::string::npos) << "docs/snug.1 lacks " << flag;
    }
  }
}

}  // namespace
}  // namespace snug
