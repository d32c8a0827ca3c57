#include "monitor/advice/apply_change.h"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/configuration_edit.h"
#include "base/error.h"
#include "base/log.h"

namespace snug {

ConfigurationInTrial::ConfigurationInTrial(std::string file, const std::vector<Action>& actions)
    : file_(std::move(file)) {
  std::vector<std::pair<std::string, SettingValue>> assignments;
  for (const Action& action : actions) assignments.push_back(parse_assignment(action.key, action.to));
  const ConfigurationChange change = set_configuration(file_, assignments);
  changed_file_ = change.file;
  backup_ = change.backup;
  is_changed_ = change.changed;
  if (change.overridden.empty()) return;
  restore();
  const Setting& setting = *change.overridden.front();
  throw Error(ErrorCode::kConflict,
              fmt::format("{} is set and overrides the configuration file", setting.environment),
              fmt::format("unset {}, or set it to the value advised", setting.environment));
}

ConfigurationInTrial::~ConfigurationInTrial() {
  if (kept_ || !is_changed_) return;
  try {
    restore();
  } catch (const std::exception& error) {
    log::error("{} still has the change that was tried ({}); the one before is {}", changed_file_,
               error.what(), backup_);
  }
}

void ConfigurationInTrial::restore() {
  if (!is_changed_) return;
  if (backup_.empty()) {
    // There was no file.
    std::filesystem::remove(changed_file_);
  } else {
    restore_configuration(file_, std::filesystem::path(backup_).filename().string());
  }
  is_changed_ = false;
}

}  // namespace snug
