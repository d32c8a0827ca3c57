// What is written is read again as it was set, all else stays byte for byte, and neither a failure in the
// middle nor an editor beside it loses anything.
#include "base/configuration_edit.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/configuration_text.h"
#include "base/error.h"

namespace snug {
namespace {

using Assignments = std::vector<std::pair<std::string, SettingValue>>;

class ConfigurationEdit : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("snug-edit-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    for (const Setting& setting : configuration_settings()) put_aside(std::string(setting.environment));
    for (const char* name : {"SNUG_CONFIG", "XDG_CONFIG_HOME"}) put_aside(name);
    path_ = (folder_ / "config.toml").string();
  }
  void TearDown() override {
    for (const auto& [name, value] : saved_) {
      if (value.has_value()) ::setenv(name.c_str(), value->c_str(), 1);
    }
    std::filesystem::remove_all(folder_);
  }

  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  std::string read() const { return read(path_); }
  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // All names in the folder but the lock's.
  size_t files() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      count += entry.path().extension() == ".lock" ? 0 : 1;
    return count;
  }
  std::string word_of(const std::function<void()>& what) const {
    try {
      what();
    } catch (const Error& error) {
      return std::string(error.word());
    }
    return "done";
  }

  std::filesystem::path folder_;
  std::string path_;

 private:
  void put_aside(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    saved_[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
    ::unsetenv(name.c_str());
  }
  std::map<std::string, std::optional<std::string>> saved_;
};

TEST_F(ConfigurationEdit, ChangesTheValueAndNothingElse) {
  write(
      "# mine\n\nthreads=2   # cores\n\"model_folders\" = [\n  \"/a\", # old\n  \"/b\",\n]\n  "
      "memory\t=\t'1GiB'\n");
  const ConfigurationChange change = set_configuration(
      path_, {parse_assignment("threads", "4"), parse_assignment("model_folders", "/c:/d e"),
              parse_assignment("memory", "700MiB"), parse_assignment("pin", "true")});
  EXPECT_TRUE(change.changed);
  EXPECT_EQ(read(),
            "# mine\n\nthreads=4   # cores\n\"model_folders\" = [\"/c\", \"/d e\"]\n  memory\t=\t\"700MiB\"\n"
            "pin = true\n");
  EXPECT_EQ(read(change.backup).substr(0, 8), "# mine\n\n");
  const Configuration loaded = load_configuration(path_);
  EXPECT_EQ(loaded.threads, 4);
  EXPECT_TRUE(loaded.pin);
}

TEST_F(ConfigurationEdit, WhatStandsThereAlreadyIsNotTouched) {
  write("threads = 0x08\nmodel_folders = ['/a',\n '/b'] # two\n");
  const ConfigurationChange change = set_configuration(
      path_, {parse_assignment("threads", "8"), parse_assignment("model_folders", "/a:/b")});
  EXPECT_FALSE(change.changed);
  EXPECT_EQ(change.backup, "");
  EXPECT_EQ(files(), 1u);
}

TEST_F(ConfigurationEdit, MakesAFileThatIsMissingForItsUserAlone) {
  const std::string path = (folder_ / "a" / "b" / "config.toml").string();
  const ConfigurationChange change = set_configuration(path, {parse_assignment("threads", "3")});
  EXPECT_EQ(read(path), "threads = 3\n");
  EXPECT_EQ(change.backup, "");
  struct stat status = {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  // A setting can be the default and still be written: the default may become another one.
  set_configuration(path, {parse_assignment("most_batch", "8")});
  EXPECT_EQ(read(path), "threads = 3\nmost_batch = 8\n");
}

TEST_F(ConfigurationEdit, KeepsModeAndWhatALinkLeadsTo) {
  write("threads = 1\n");
  ::chmod(path_.c_str(), 0640);
  const std::string link = (folder_ / "link.toml").string();
  std::filesystem::create_symlink("config.toml", link);
  const ConfigurationChange change = set_configuration(link, {parse_assignment("threads", "2")});
  EXPECT_EQ(change.file, path_);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(read(), "threads = 2\n");
  for (const std::string& file : {path_, change.backup}) {
    struct stat status = {};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0640u) << file;
  }
}

TEST_F(ConfigurationEdit, RefusesWhatCouldNotBeRead) {
  write("threads = 1\n");
  EXPECT_THROW(parse_assignment("treads", "4"), Error);
  EXPECT_THROW(parse_assignment("threads", "many"), Error);
  EXPECT_THROW(parse_assignment("threads", "-1"), Error);
  EXPECT_THROW(parse_assignment("precision", "f16"), Error);
  EXPECT_THROW(parse_assignment("memory", "lots"), Error);
  EXPECT_THROW(parse_assignment("model", "\xff\xfe"), Error);
  EXPECT_EQ(word_of([&] { set_configuration(path_, {{"threads", std::string("4")}}); }), "invalid_argument");
  // One that is wrong among others: none is written.
  EXPECT_EQ(word_of([&] {
              set_configuration(path_, {{"pin", true}, {"most_batch", int64_t{0}}});
            }),
            "invalid_argument");
  EXPECT_EQ(read(), "threads = 1\n");
  write("threads = 1\nmodle = 'x'\n");
  EXPECT_EQ(word_of([&] { set_configuration(path_, {{"pin", true}}); }), "bad_config");
  EXPECT_EQ(read(), "threads = 1\nmodle = 'x'\n");
  EXPECT_EQ(files(), 1u);
}

TEST_F(ConfigurationEdit, SaysWhichVariablesHideTheChange) {
  ::setenv("SNUG_THREADS", "7", 1);
  const ConfigurationChange change =
      set_configuration(path_, {parse_assignment("threads", "3"), parse_assignment("pin", "1")});
  ASSERT_EQ(change.overridden.size(), 1u);
  EXPECT_EQ(change.overridden[0]->key, "threads");
  for (const EffectiveSetting& one : effective_settings(path_)) {
    const bool is_threads = one.setting->key == "threads";
    if (is_threads) {
      EXPECT_EQ(std::get<int64_t>(one.value), 7);
    }
    EXPECT_EQ(one.source, is_threads                  ? SettingSource::kEnvironment
                          : one.setting->key == "pin" ? SettingSource::kFile
                                                      : SettingSource::kDefault);
  }
  ::unsetenv("SNUG_THREADS");
}

TEST_F(ConfigurationEdit, RestoringIsAChangeThatCanBeTakenBack) {
  write("threads = 1\n");
  set_configuration(path_, {parse_assignment("threads", "2")});
  set_configuration(path_, {parse_assignment("threads", "3")});
  ASSERT_EQ(configuration_backups(path_).size(), 2u);
  restore_configuration(path_);
  EXPECT_EQ(read(), "threads = 2\n");
  restore_configuration(path_);
  EXPECT_EQ(read(), "threads = 3\n");
  const std::string oldest = configuration_backups(path_).back().name;
  restore_configuration(path_, oldest.substr(oldest.find("backup-") + 7));
  EXPECT_EQ(read(), "threads = 1\n");
  EXPECT_EQ(word_of([&] { restore_configuration(path_, "20010101-000000"); }), "not_found");
  // A file that has been spoilt by hand is what restoring is for.
  write("threads = ");
  restore_configuration(path_);
  EXPECT_EQ(read(), "threads = 3\n");
  EXPECT_EQ(word_of([&] { restore_configuration(path_); }), "bad_config");
  EXPECT_EQ(read(), "threads = 3\n");
}

TEST_F(ConfigurationEdit, KeepsTheNewestBackups) {
  write("threads = 0\n");
  for (int i = 1; i <= 30; ++i) set_configuration(path_, {{"threads", int64_t{i}}});
  const std::vector<ConfigurationBackup> backups = configuration_backups(path_);
  ASSERT_EQ(backups.size(), kMostBackups);
  for (size_t i = 0; i < backups.size(); ++i)
    EXPECT_EQ(read(backups[i].path), fmt::format("threads = {}\n", 29 - i));
}

TEST_F(ConfigurationEdit, AFullDiskLeavesTheFileWhole) {
  write("threads = 1\n");
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  // Room for the backup, not for what is to be written.
  const struct rlimit small = {256, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string word = word_of([&] { set_configuration(path_, {{"model", std::string(1000, 'x')}}); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  EXPECT_EQ(word, "disk_full");
  EXPECT_EQ(read(), "threads = 1\n");
  EXPECT_EQ(files(), 2u);  // and the backup, nothing half-written
}

// A killed editor: the file is one of those that it wrote, whole.
TEST_F(ConfigurationEdit, AKilledEditorLeavesTheFileWhole) {
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    write("threads = 0\nmodel = \"x\"\n");
    const pid_t child = ::fork();
    if (child == 0) {
      for (int64_t i = 1;; ++i) {
        set_configuration(path_, {{"threads", i % 1000}, {"model", std::string(i % 2000, 'x')}});
      }
    }
    ::usleep(std::uniform_int_distribution<useconds_t>(100, 10'000)(random));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const Configuration loaded = load_configuration(path_);
    if (loaded.threads != 0) {
      EXPECT_EQ(loaded.model.size() % 1000, static_cast<size_t>(loaded.threads));
    }
    set_configuration(path_, {{"pin", true}});  // the lock is free
    EXPECT_LE(files(), 1 + kMostBackups + 1);   // what was half-written does not pile up
  }
}

TEST_F(ConfigurationEdit, EditorsBesideEachOtherLoseNoChange) {
  write("# shared\n");
  const std::vector<std::string> keys = {"most_queued", "most_batch", "runs_at_once", "keep_jobs_days"};
  std::vector<std::thread> editors;
  for (const std::string& key : keys) {
    editors.emplace_back([&, key] {
      for (int64_t i = 1; i <= 8; ++i) set_configuration(path_, {{key, i}});
    });
  }
  for (std::thread& editor : editors) editor.join();
  const Configuration loaded = load_configuration(path_);
  for (const std::string& key : keys)
    EXPECT_EQ(std::get<int64_t>(value_in(*find_setting(key), loaded)), 8) << key;
}

// Writes files as people do, and remembers the bytes of each statement's lines.
class RandomFile {
 public:
  explicit RandomFile(uint32_t seed) : random_(seed), end_(below(4) == 0 ? "\r\n" : "\n") {
    if (below(8) == 0) text_ = "\xEF\xBB\xBF";
    std::vector<const Setting*> settings;
    for (const Setting& setting : configuration_settings()) settings.push_back(&setting);
    std::shuffle(settings.begin(), settings.end(), random_);
    const int count = below(8);
    for (int i = 0; i < count; ++i) {
      if (below(2) == 0) text_ += spaces() + end_;
      if (below(2) == 0) text_ += spaces() + "# threads = 9 \"not closed [" + end_;
      add(*settings[static_cast<size_t>(i)]);
    }
    if (below(3) == 0) text_ += "# the end";  // without an end of line
  }

  const std::string& text() const { return text_; }
  // [begin, end) of the value of each key.
  const std::map<std::string, std::pair<size_t, size_t>>& values() const { return values_; }

  SettingValue value_for(const Setting& setting) {
    if (std::holds_alternative<bool Configuration::*>(setting.member)) return below(2) == 0;
    if (std::holds_alternative<int64_t Configuration::*>(setting.member)) {
      return std::uniform_int_distribution<int64_t>(setting.least, setting.most)(random_);
    }
    if (std::holds_alternative<std::string Configuration::*>(setting.member)) return text_for(setting);
    std::vector<std::string> list;
    for (int i = below(4); i > 0; --i) list.push_back(text_for(setting));
    return list;
  }

  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }

 private:
  std::string spaces() { return std::string(static_cast<size_t>(below(3)), below(2) == 0 ? ' ' : '\t'); }

  std::string text_for(const Setting& setting) {
    if (setting.is_size) return fmt::format("{}MiB", 1 + below(900));
    if (!setting.choices.empty()) return std::string(setting.choices.substr(0, setting.choices.find(' ')));
    const std::vector<std::string> parts = {"a", "\"", "'",  "\\", "#",   "=",      "[",  "]",    ",",
                                            " ", "é",  "\t", "\n", "'''", "\"\"\"", "/x", "\x7f", "\x01"};
    std::string text;
    for (int i = below(6); i > 0; --i)
      text += parts[static_cast<size_t>(below(static_cast<int>(parts.size())))];
    return text;
  }

  // One of TOML's four kinds, where it can hold the text.
  std::string quoted(const std::string& text) {
    const bool is_plain = text.find_first_of("'\n\x7f\x01") == std::string::npos;
    if (is_plain && below(3) == 0) return "'" + text + "'";
    if (is_plain && below(3) == 0) return "'''" + text + "'''";
    const std::string basic = toml_text(text);
    return below(3) == 0 ? "\"\"" + basic + "\"\"" : basic;
  }

  std::string written(const SettingValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
    const auto* list = std::get_if<std::vector<std::string>>(&value);
    if (list == nullptr) return toml_text(value);
    const bool is_long = below(2) == 0;
    std::string out = "[" + spaces();
    for (size_t i = 0; i < list->size(); ++i) {
      if (is_long) out += spaces() + "# it's ] a \"comment" + end_ + spaces();
      out += quoted((*list)[i]) + spaces();
      if (i + 1 < list->size() || below(2) == 0) out += "," + spaces();
    }
    return out + (is_long ? end_ : "") + "]";
  }

  void add(const Setting& setting) {
    const std::string key(setting.key);
    text_ += spaces() + (below(4) == 0 ? "\"" + key + "\"" : below(4) == 0 ? "'" + key + "'" : key);
    text_ += spaces() + "=" + spaces();
    const size_t begin = text_.size();
    text_ += written(value_for(setting));
    values_[key] = {begin, text_.size()};
    if (below(3) == 0) text_ += spaces() + "# why = \"so";
    text_ += end_;
  }

  std::mt19937 random_;
  std::string end_, text_;
  std::map<std::string, std::pair<size_t, size_t>> values_;
};

TEST_F(ConfigurationEdit, ARandomFileIsReadWithTheNewValueAndElseUnchanged) {
  const auto settings = configuration_settings();
  for (uint32_t seed = 0; seed < 1500; ++seed) {
    RandomFile file(seed);
    const Setting& setting = settings[static_cast<size_t>(file.below(static_cast<int>(settings.size())))];
    const std::string key(setting.key);
    const SettingValue value = file.value_for(setting);
    SCOPED_TRACE(fmt::format("seed {}, {} = {}, in:\n{}", seed, key, toml_text(value), file.text()));
    Configuration expected = parse_configuration(file.text(), "before");
    for (const TomlStatement& statement : toml_statements(file.text())) {
      const auto [begin, end] = file.values().at(statement.key);
      ASSERT_EQ(statement.begin, begin);
      ASSERT_EQ(statement.end, end);
    }
    const std::string after = with_value(file.text(), key, value);
    const Configuration read = parse_configuration(after, "after");
    store_value(setting, value, expected);
    for (const Setting& one : settings) ASSERT_EQ(value_in(one, read), value_in(one, expected)) << one.key;
    const auto found = file.values().find(key);
    if (found == file.values().end()) {
      ASSERT_TRUE(after.starts_with(file.text()));
      ASSERT_TRUE(after.ends_with("\n"));
    } else {
      const auto [begin, end] = found->second;
      ASSERT_EQ(after.substr(0, begin), file.text().substr(0, begin));
      ASSERT_TRUE(after.ends_with(file.text().substr(end)));
      ASSERT_EQ(after.size(), file.text().size() - (end - begin) + toml_text(value).size());
    }
  }
}

}  // namespace
}  // namespace snug
