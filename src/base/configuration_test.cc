#include "base/configuration.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/nearest_name.h"

namespace snug {
namespace {

// A folder for files, and an environment without the tester's own settings.
class ConfigurationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("snug-configuration-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    for (const Setting& setting : configuration_settings()) put_aside(std::string(setting.environment));
    for (const char* name : {"SNUG_CONFIG", "XDG_CONFIG_HOME", "HOME"}) put_aside(name);
  }
  void TearDown() override {
    for (const auto& [name, value] : saved_) {
      if (value.has_value()) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
    std::filesystem::remove_all(folder_);
  }

  std::string write(const std::string& text, const std::string& name = "config.toml") const {
    const auto path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }

  std::string refusal_of_variable(const char* name, const char* value) const {
    ::setenv(name, value, 1);
    try {
      load_configuration(write(""));
    } catch (const Error& error) {
      ::unsetenv(name);
      return std::string(error.word()) + " " + error.what();
    }
    ::unsetenv(name);
    return "accepted";
  }

  // The line of the error that reading `text` gives, after its code's word.
  std::string refusal(const std::string& text) const {
    try {
      load_configuration(write(text));
    } catch (const Error& error) {
      return std::string(error.word()) + " " + error.what();
    }
    return "accepted";
  }

  std::filesystem::path folder_;

 private:
  void put_aside(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    saved_[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
    ::unsetenv(name.c_str());
  }
  std::map<std::string, std::optional<std::string>> saved_;
};

TEST_F(ConfigurationTest, WithoutAFileEverythingHasItsDefault) {
  const Configuration configuration = load_configuration();
  EXPECT_EQ(configuration.file, "");
  EXPECT_EQ(configuration.model, "");
  EXPECT_EQ(configuration.precision, "f32");
  EXPECT_EQ(configuration.threads, 0);
  EXPECT_EQ(configuration.log_level, "warn");
}

TEST_F(ConfigurationTest, EveryKeyIsRead) {
  ::setenv("HOME", "/home/someone", 1);
  const Configuration configuration = load_configuration(
      write("model = 'sd15'\nmodel_folders = ['~/models', '/srv/models']\ntokenizer = '~/clip'\n"
            "precision = 'bf16'\nthreads = 3\noutput_folder = '/tmp'\nlog_level = 'info'\n"));
  EXPECT_EQ(configuration.model, "sd15");
  EXPECT_EQ(configuration.model_folders, (std::vector<std::string>{"/home/someone/models", "/srv/models"}));
  EXPECT_EQ(configuration.tokenizer, "/home/someone/clip");
  EXPECT_EQ(configuration.precision, "bf16");
  EXPECT_EQ(configuration.threads, 3);
  EXPECT_EQ(configuration.output_folder, "/tmp");
  EXPECT_EQ(configuration.log_level, "info");
  EXPECT_FALSE(configuration.file.empty());
}

TEST_F(ConfigurationTest, TheFileIsLookedForWhereXdgSays) {
  ::setenv("HOME", folder_.c_str(), 1);
  write("threads = 1\n", ".config/snug/config.toml");
  EXPECT_EQ(load_configuration().threads, 1);
  write("threads = 2\n", "xdg/snug/config.toml");
  ::setenv("XDG_CONFIG_HOME", (folder_ / "xdg").c_str(), 1);
  EXPECT_EQ(load_configuration().threads, 2);
  ::setenv("SNUG_CONFIG", write("threads = 3\n", "named.toml").c_str(), 1);
  EXPECT_EQ(load_configuration().threads, 3);
  ::setenv("SNUG_CONFIG", (folder_ / "absent.toml").c_str(), 1);
  EXPECT_THROW(load_configuration(), Error);
}

TEST_F(ConfigurationTest, TheEnvironmentOverridesTheFile) {
  ::setenv("SNUG_THREADS", "5", 1);
  ::setenv("SNUG_MODEL_FOLDERS", "/a:/b", 1);
  const Configuration configuration = load_configuration(write("threads = 1\nmodel_folders = ['/c']\n"));
  EXPECT_EQ(configuration.threads, 5);
  EXPECT_EQ(configuration.model_folders, (std::vector<std::string>{"/a", "/b"}));
}

TEST_F(ConfigurationTest, AWrongVariableIsNamed) {
  ::setenv("SNUG_THREADS", "many", 1);
  try {
    load_configuration();
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("SNUG_THREADS"), std::string::npos) << error.what();
  }
}

TEST_F(ConfigurationTest, AMistakeIsNamedWithItsLineAndTheNearestKey) {
  const std::string unknown = refusal("threads = 2\nmodle = 'x'\n");
  EXPECT_TRUE(unknown.starts_with("bad_config")) << unknown;
  EXPECT_NE(unknown.find("line 2"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("did you mean model?"), std::string::npos) << unknown;
  const std::string type = refusal("\n\nthreads = 'two'\n");
  EXPECT_NE(type.find("line 3"), std::string::npos) << type;
  EXPECT_NE(type.find("integer"), std::string::npos) << type;
  EXPECT_NE(refusal("model_folders = ['a', 1]\n").find("list of texts"), std::string::npos);
  EXPECT_NE(refusal("threads = -1\n").find("from 0 to"), std::string::npos);
  EXPECT_NE(refusal("precision = 'f64'\n").find("auto f32 bf16"), std::string::npos);
  EXPECT_NE(refusal("log_level = 'warning'\n").find("one of"), std::string::npos);
}

TEST_F(ConfigurationTest, MalformedTomlIsRefusedWithItsLine) {
  for (const char* text : {"threads = \n", "= 1\n", "model = 'unclosed\n", "[snug\n",
                           "threads = 1\nthreads = 2\n", "model = \"\xff\"\n"}) {
    const std::string line = refusal(text);
    EXPECT_TRUE(line.starts_with("bad_config")) << text << ": " << line;
    EXPECT_NE(line.find("line "), std::string::npos) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  }
  std::string deep = "model = ";
  deep.append(5000, '[');
  EXPECT_TRUE(refusal(deep + "\n").starts_with("bad_config"));
}

TEST(NearestName, IsFoundOnlyWhenItIsNear) {
  constexpr std::array<std::string_view, 3> kNames = {"--steps", "--seed", "--size"};
  EXPECT_EQ(nearest_name("--stepz", kNames), "--steps");
  EXPECT_EQ(nearest_name("--sead", kNames), "--seed");
  EXPECT_EQ(nearest_name("--unrelated-flag", kNames), "");
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST_F(ConfigurationTest, MemoryIsASizeWithItsUnit) {
  EXPECT_EQ(load_configuration(write("memory = \"700MiB\"\n")).memory, "700MiB");
  for (const char* wrong : {"700", "0MiB", "-1GiB", "much"}) {
    const std::string line = refusal(std::string("memory = \"") + wrong + "\"\n");
    EXPECT_NE(line.find("write it like 700MiB"), std::string::npos) << line;
    EXPECT_NE(line.find("line 1"), std::string::npos) << line;
  }
  EXPECT_NE(refusal("memory = 700\n").find("wrong type"), std::string::npos);
  EXPECT_NE(refusal_of_variable("SNUG_MEMORY", "700").find("SNUG_MEMORY"), std::string::npos);
}

TEST_F(ConfigurationTest, DirectReadsAreTrueOrFalse) {
  EXPECT_FALSE(load_configuration(write("")).direct_reads);
  EXPECT_TRUE(load_configuration(write("direct_reads = true\n")).direct_reads);
  ::setenv("SNUG_DIRECT_READS", "false", 1);
  EXPECT_FALSE(load_configuration(write("direct_reads = true\n")).direct_reads);
  ::unsetenv("SNUG_DIRECT_READS");
  EXPECT_NE(refusal("direct_reads = \"yes\"\n").find("truth value"), std::string::npos);
  EXPECT_NE(refusal_of_variable("SNUG_DIRECT_READS", "maybe").find("true or false"), std::string::npos);
}

}  // namespace
}  // namespace snug
