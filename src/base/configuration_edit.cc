#include "base/configuration_edit.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "base/configuration_text.h"
#include "base/error.h"
#include "base/nearest_name.h"
#include "base/replace_file.h"

namespace snug {
namespace {

constexpr std::string_view kBackupMark = ".backup-";

std::string target_of(const std::string& path) {
  const std::string file = path.empty() ? configuration_path() : path;
  if (!file.empty()) return followed(file);
  throw Error(ErrorCode::kInvalidArgument, "there is no place for a configuration file",
              "set HOME, or name a file with --config or SNUG_CONFIG");
}

// Nothing where there is no file.
std::optional<std::string> text_of(const std::string& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::nullopt;
  return read_configuration_text(file);
}

bool is_overridden(const Setting& setting) {
  const char* const text = std::getenv(std::string(setting.environment).c_str());
  return text != nullptr && *text != '\0';
}

const Setting& setting_of(std::string_view key) {
  if (const Setting* const setting = find_setting(key)) return *setting;
  std::vector<std::string_view> keys;
  for (const Setting& setting : configuration_settings()) keys.push_back(setting.key);
  const std::string_view near = nearest_name(key, keys);
  throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no setting '{}'", key),
              near.empty() ? "'snug help configuration' lists them" : fmt::format("did you mean {}?", near));
}

void check_value(const Setting& setting, const SettingValue& value) {
  if (value.index() != value_in(setting, {}).index()) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} has the wrong type", setting.key),
                fmt::format("give it a {}", type_name(setting)));
  }
  if (const std::string problem = fault_of(setting, value); !problem.empty()) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} {}", setting.key, problem),
                "give another value");
  }
  try {
    parse_configuration(with_value({}, setting.key, value), {});
  } catch (const Error&) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is no text that a file can hold", setting.key),
                "give it in UTF-8");
  }
}

// The place of a backup in time: the stamp, and which it is within the second. Nothing for other files.
std::optional<std::pair<std::string, int>> stamp_of(std::string_view name, std::string_view prefix) {
  constexpr std::string_view kForm = "dddddddd-dddddd";
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  if (name.size() < kForm.size()) return std::nullopt;
  for (size_t i = 0; i < kForm.size(); ++i) {
    const bool is_digit = name[i] >= '0' && name[i] <= '9';
    if (kForm[i] == 'd' ? !is_digit : name[i] != kForm[i]) return std::nullopt;
  }
  std::pair<std::string, int> stamp = {std::string(name.substr(0, kForm.size())), 1};
  name.remove_prefix(kForm.size());
  if (name.empty()) return stamp;
  const auto [end, failure] = std::from_chars(name.data() + 1, name.data() + name.size(), stamp.second);
  if (name.front() != '-' || failure != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return stamp;
}

std::vector<ConfigurationBackup> backups_of(const std::string& target) {
  const std::string folder = folder_of(target);
  const std::string prefix = std::filesystem::path(target).filename().string() + std::string(kBackupMark);
  std::vector<std::pair<std::pair<std::string, int>, ConfigurationBackup>> found;
  std::error_code ignored;  // a folder that is not there has none
  for (std::filesystem::directory_iterator at(folder, ignored), end; at != end; at.increment(ignored)) {
    const std::string name = at->path().filename().string();
    if (auto stamp = stamp_of(name, prefix)) {
      found.push_back({*std::move(stamp), {name, fmt::format("{}/{}", folder, name)}});
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<ConfigurationBackup> list;
  for (auto& [stamp, backup] : found) list.push_back(std::move(backup));
  return list;
}

// Under the lock, so a name that is free stays free. One that would not be the newest (the clock went back)
// takes the newest's second.
std::string back_up(const std::string& target, const std::string& text) {
  const std::time_t now = std::time(nullptr);
  std::tm utc = {};
  ::gmtime_r(&now, &utc);
  char stamp[32] = {};
  std::strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &utc);
  std::pair<std::string, int> next = {stamp, 1};
  const std::string prefix = std::filesystem::path(target).filename().string() + std::string(kBackupMark);
  if (const auto backups = backups_of(target); !backups.empty()) {
    const auto newest = stamp_of(backups.front().name, prefix);
    if (newest >= next) next = {newest->first, newest->second + 1};
  }
  const std::string path = fmt::format("{}{}{}{}", target, kBackupMark, next.first,
                                       next.second == 1 ? "" : fmt::format("-{}", next.second));
  replace_file(path, text, target);
  return path;
}

void drop_old_backups(const std::string& target) {
  const std::vector<ConfigurationBackup> backups = backups_of(target);
  std::error_code ignored;  // the change is made; one more backup does no harm
  for (size_t i = kMostBackups; i < backups.size(); ++i) std::filesystem::remove(backups[i].path, ignored);
}

// Under the lock.
void change(ConfigurationChange& result, const std::optional<std::string>& before, const std::string& after) {
  if (before == after) return;
  if (before.has_value()) result.backup = back_up(result.file, *before);
  replace_file(result.file, after, result.file);
  result.changed = true;
  drop_old_backups(result.file);
}

FileLock lock(const std::string& target) {
  const std::string folder = folder_of(target);
  std::error_code failure;
  if (!std::filesystem::is_directory(folder, failure)) {
    std::filesystem::create_directories(folder, failure);
    if (failure) {
      Error error(ErrorCode::kIoError, fmt::format("making its folder failed: {}", failure.message()),
                  "make it by hand, or name another file");
      error.in_file(target);
      throw error;
    }
    // As the XDG specification has it for configuration.
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failure);
  }
  return FileLock(target + ".lock");
}

}  // namespace

std::pair<std::string, SettingValue> parse_assignment(std::string_view key, const std::string& text) {
  const Setting& setting = setting_of(key);
  std::optional<SettingValue> value = value_of_text(setting, text);
  if (!value) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is '{}'", key, text),
                fmt::format("give it {}", std::holds_alternative<bool Configuration::*>(setting.member)
                                              ? "true or false"
                                              : "a whole number"));
  }
  check_value(setting, *value);
  return {std::string(key), *std::move(value)};
}

ConfigurationChange set_configuration(const std::string& path,
                                      const std::vector<std::pair<std::string, SettingValue>>& assignments) {
  for (const auto& [key, value] : assignments) check_value(setting_of(key), value);
  ConfigurationChange result;
  result.file = target_of(path);
  const FileLock held = lock(result.file);
  const std::optional<std::string> before = text_of(result.file);
  std::string text = before.value_or(std::string());
  Configuration expected = parse_configuration(text, result.file);
  for (const auto& [key, value] : assignments) {
    const Setting& setting = setting_of(key);
    // A value that stands there already may be written in a way of its own.
    const Configuration now = parse_configuration(text, result.file);
    store_value(setting, value, expected);
    const std::vector<TomlStatement> there = toml_statements(text);
    const bool is_there = std::any_of(
        there.begin(), there.end(), [&, own = std::string_view(key)](const auto& s) { return s.key == own; });
    if (!is_there || value_in(setting, now) != value_in(setting, expected))
      text = with_value(text, key, value);
    const bool is_told = std::count(result.overridden.begin(), result.overridden.end(), &setting) > 0;
    if (is_overridden(setting) && !is_told) result.overridden.push_back(&setting);
  }
  // Nothing is written that does not read as it should.
  const Configuration written = parse_configuration(text, result.file);
  for (const Setting& setting : configuration_settings()) {
    if (value_in(setting, written) == value_in(setting, expected)) continue;
    throw Error(ErrorCode::kInternal, fmt::format("{} would not be read as it was set", setting.key))
        .in_file(result.file);
  }
  change(result, before, text);
  return result;
}

std::vector<ConfigurationBackup> configuration_backups(const std::string& path) {
  return backups_of(target_of(path));
}

ConfigurationChange restore_configuration(const std::string& path, const std::string& backup) {
  ConfigurationChange result;
  result.file = target_of(path);
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder_of(result.file), ignored)) {
    throw Error(ErrorCode::kNotFound, "there is no backup", "a change makes one").in_file(result.file);
  }
  const FileLock held = lock(result.file);
  const std::vector<ConfigurationBackup> backups = backups_of(result.file);
  const std::string wanted = std::filesystem::path(backup).filename().string();
  const auto found = std::find_if(backups.begin(), backups.end(), [&](const ConfigurationBackup& one) {
    return wanted.empty() || one.name == wanted || one.name.ends_with(std::string(kBackupMark) + wanted);
  });
  if (found == backups.end()) {
    throw Error(ErrorCode::kNotFound,
                backups.empty() ? "there is no backup" : fmt::format("there is no backup '{}'", wanted),
                backups.empty() ? "a change makes one" : "'snug config backups' lists them")
        .in_file(result.file);
  }
  const std::string text = read_configuration_text(found->path);
  parse_configuration(text, found->path);
  change(result, text_of(result.file), text);
  return result;
}

std::string_view setting_source_name(SettingSource source) {
  switch (source) {
    case SettingSource::kDefault: return "default";
    case SettingSource::kFile: return "file";
    case SettingSource::kEnvironment: return "environment";
  }
  return "";
}

std::vector<EffectiveSetting> effective_settings(const std::string& path) {
  const std::string file = path.empty() ? configuration_path() : path;
  const std::string text = file.empty() ? std::string() : text_of(file).value_or(std::string());
  const Configuration configuration = with_environment(parse_configuration(text, file));
  const std::vector<TomlStatement> there = toml_statements(text);
  std::vector<EffectiveSetting> list;
  for (const Setting& setting : configuration_settings()) {
    SettingSource source = SettingSource::kDefault;
    if (std::any_of(there.begin(), there.end(), [&](const auto& s) { return s.key == setting.key; }))
      source = SettingSource::kFile;
    if (is_overridden(setting)) source = SettingSource::kEnvironment;
    list.push_back({&setting, value_in(setting, configuration), source});
  }
  return list;
}

}  // namespace snug
