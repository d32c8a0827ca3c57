// The text of a configuration file, changed in place: values are put where the old ones stood, and every
// other byte (comments, order, spacing, ends of lines) stays. Called by configuration_edit.cc. What can be
// set and which values are right is for configuration.h; files are for configuration_edit.h.
//
// A file that load_configuration accepts has nothing but `key = value` at its top level (there is no setting
// that is a table), so a scanner for these is enough. It reads only what toml++ has accepted.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting_value.h"

namespace snug {

// One `key = value`; the value is text[begin, end).
struct TomlStatement {
  std::string key;  // without quotes and escapes
  size_t begin = 0, end = 0;
};

// In the file's order. `text` must be one that parse_configuration accepts.
std::vector<TomlStatement> toml_statements(std::string_view text);

// As TOML, on one line. Text must be UTF-8.
std::string toml_text(const SettingValue& value);

// `text` with this value for `key`: in the place of the old one, else as a new last line, which ends as the
// file's lines do. Comments inside an array that is replaced go with it.
std::string with_value(std::string_view text, std::string_view key, const SettingValue& value);

}  // namespace snug
