// `snug config`: what settings are in effect and where they come from; changing them in the file, and taking
// changes back (base/configuration_edit.h).

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/print_error.h"
#include "base/configuration_edit.h"
#include "base/error.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

ordered_json value_json(const SettingValue& value) {
  return std::visit([](const auto& one) { return ordered_json(one); }, value);
}

void print_json(const ordered_json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

class ConfigCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("ACTION", action_, "set, restore or backups; default: show what is in effect")
        ->check(CLI::IsMember({"set", "restore", "backups"}));
    app.add_option("ARGUMENTS", arguments_, "Of set: KEY VALUE, one or more; of restore: a backup");
    app.add_flag("--json", json_, "Print one JSON object");
  }

  // A file with a mistake can be shown what is wrong with, and restored.
  Configuration read_configuration(const std::string& file) override {
    file_ = file;
    return {};
  }

  int run(const Configuration& /*configuration*/) override {
    if (action_ == "set") {
      set();
    } else if (action_ == "restore") {
      if (arguments_.size() > 1) refuse("restore takes one backup");
      tell(restore_configuration(file_, arguments_.empty() ? std::string() : arguments_.front()));
    } else if (!arguments_.empty()) {
      refuse(fmt::format("'{}' is one too many", arguments_.front()));
    } else if (action_ == "backups") {
      list_backups();
    } else {
      show();
    }
    finish_output();
    return 0;
  }

 private:
  [[noreturn]] static void refuse(const std::string& problem) {
    throw Error(ErrorCode::kInvalidArgument, problem, "see 'snug help config' for examples");
  }

  void set() const {
    if (arguments_.empty() || arguments_.size() % 2 != 0) refuse("set takes keys, each with its value");
    std::vector<std::pair<std::string, SettingValue>> assignments;
    for (size_t i = 0; i < arguments_.size(); i += 2) {
      assignments.push_back(parse_assignment(arguments_[i], arguments_[i + 1]));
    }
    tell(set_configuration(file_, assignments));
  }

  void tell(const ConfigurationChange& change) const {
    if (json_) {
      ordered_json hidden = ordered_json::array();
      for (const Setting* setting : change.overridden) {
        hidden.push_back({{"key", setting->key}, {"variable", setting->environment}});
      }
      print_json({{"file", change.file},
                  {"changed", change.changed},
                  {"backup", change.backup.empty() ? ordered_json() : ordered_json(change.backup)},
                  {"overridden", hidden}});
      return;
    }
    fmt::print("{} {}\n", change.changed ? "changed" : "nothing to change in", printable(change.file));
    if (!change.backup.empty()) fmt::print("what it was: {}\n", printable(change.backup));
    for (const Setting* setting : change.overridden) {
      fmt::print("note: the variable {} is set and overrides {}\n", setting->environment, setting->key);
    }
  }

  void list_backups() const {
    ordered_json list = ordered_json::array();
    for (const ConfigurationBackup& backup : configuration_backups(file_)) {
      list.push_back({{"name", backup.name}, {"path", backup.path}});
      if (!json_) fmt::print("{}\n", printable(backup.path));
    }
    if (json_) print_json({{"backups", list}});
    if (!json_ && list.empty()) fmt::print("there are no backups; a change makes one\n");
  }

  void show() const {
    const std::string file = file_.empty() ? configuration_path() : file_;
    const std::vector<EffectiveSetting> settings = effective_settings(file_);
    ordered_json list = ordered_json::array();
    if (!json_) fmt::print("file: {}\n\n", file.empty() ? "none" : printable(file));
    for (const EffectiveSetting& one : settings) {
      const ordered_json value = value_json(one.value);
      list.push_back({{"key", one.setting->key},
                      {"value", value},
                      {"source", setting_source_name(one.source)},
                      {"variable", one.setting->environment}});
      if (json_) continue;
      const bool is_environment = one.source == SettingSource::kEnvironment;
      fmt::print("{:<28} {:<28} {}\n", one.setting->key,
                 printable(value.dump(-1, ' ', false, ordered_json::error_handler_t::replace)),
                 is_environment ? one.setting->environment : setting_source_name(one.source));
    }
    if (json_) print_json({{"file", file.empty() ? ordered_json() : ordered_json(file)}, {"settings", list}});
  }

  std::string action_, file_;
  std::vector<std::string> arguments_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_config_command() { return std::make_unique<ConfigCommand>(); }

}  // namespace snug::cli
