// Writes changes into the user's configuration file and takes them back (base/configuration_edit.h). Called
// by adviser.cc and the optimiser, around the check of what was changed.
#pragma once

#include <string>
#include <vector>

#include "monitor/advice/action.h"

namespace snug {

// A change that is in the file, and goes away again unless it is kept: when it turned out worse, and when the
// check was stopped or failed.
class ConfigurationInTrial {
 public:
  // Writes the new values. `file`: as load_configuration was given it; empty: the usual place. Throws
  // conflict where a variable of the environment overrides one of the settings, and what set_configuration
  // throws; the file is as it was then.
  ConfigurationInTrial(std::string file, const std::vector<Action>& actions);
  // Restores what was not kept. What goes wrong then is logged: the backup is named.
  ~ConfigurationInTrial();
  ConfigurationInTrial(const ConfigurationInTrial&) = delete;
  ConfigurationInTrial& operator=(const ConfigurationInTrial&) = delete;

  void keep() { kept_ = true; }
  // Restores now. Throws what restore_configuration throws.
  void restore();
  // Of the file as it was; empty where there was none.
  const std::string& backup() const { return backup_; }

 private:
  const std::string file_;
  std::string changed_file_, backup_;
  bool kept_ = false, is_changed_ = false;
};

}  // namespace snug
