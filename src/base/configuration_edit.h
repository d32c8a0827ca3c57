// Changes settings in the user's configuration file and takes changes back. Called by `snug config` and by
// whatever applies advice. Comments, order and formatting of everything else stay (configuration_text.h);
// what is written has passed the checks of load_configuration, so that it can always be read.
//
// The file is replaced whole or not at all, keeps its mode and owner, and before that a copy of it is put
// beside it as NAME.backup-YYYYmmdd-HHMMSS (UTC; "-2", "-3" within one second); the newest kMostBackups stay.
// Symbolic links are followed: what they lead to is changed. Editors wait for each other by a lock on
// NAME.lock, so that none loses another's change; people's text editors do not know of it.
//
// `path` is the file, or empty for configuration_path(). Where there is none, as without a home folder,
// everything throws invalid_argument. Safe from several threads and processes.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/setting_value.h"

namespace snug {

inline constexpr size_t kMostBackups = 20;

struct ConfigurationChange {
  std::string file;    // that was changed: what symbolic links lead to
  std::string backup;  // of what was there before; empty when there was nothing, or nothing changed
  bool changed = false;
  // Settings that were given and that a variable overrides: what the file says of them has no effect as long
  // as it is set.
  std::vector<const Setting*> overridden;
};

// `text` as a variable would have it, checked. Throws invalid_argument (also where there is no such key).
std::pair<std::string, SettingValue> parse_assignment(std::string_view key, const std::string& text);

// All of them in one change; the last of a key counts. Makes a file that is missing, with its folders,
// readable by the user alone. Writes nothing when the file says all of it already. Throws invalid_argument
// (no such key, a value that the file could not have), bad_config (the file has a mistake, which is for a
// person to mend), io_error, disk_full, too_large; then the file is as it was.
ConfigurationChange set_configuration(const std::string& path,
                                      const std::vector<std::pair<std::string, SettingValue>>& assignments);

struct ConfigurationBackup {
  std::string name;  // "config.toml.backup-20260301-120000"
  std::string path;
};

// Newest first.
std::vector<ConfigurationBackup> configuration_backups(const std::string& path);

// Puts a backup (by its name or the end of it, "20260301-120000"; empty: the newest) in the file's place,
// after a backup of what is there, with which restoring can be taken back; the file may have mistakes.
// Throws not_found, bad_config (the backup has a mistake), io_error, disk_full; then the file is as it was.
ConfigurationChange restore_configuration(const std::string& path, const std::string& backup = {});

enum class SettingSource { kDefault, kFile, kEnvironment };
std::string_view setting_source_name(SettingSource source);  // "default", "file", "environment"

struct EffectiveSetting {
  const Setting* setting = nullptr;
  SettingValue value;
  SettingSource source = SettingSource::kDefault;
};

// What load_configuration(path) gives, setting by setting, with where each value comes from. A file that is
// missing sets nothing. Throws as load_configuration.
std::vector<EffectiveSetting> effective_settings(const std::string& path);

}  // namespace snug
