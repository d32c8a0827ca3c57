// One setting's value, apart from where it was written: its type, what is wrong with it, and how it is read
// from the file's TOML and from a variable's text. Called by configuration.cc, which reads all settings, and
// by configuration_edit.cc, which writes some: one set of rules, so that what is written can be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <toml++/impl/forward_declarations.h>

#include "base/configuration.h"

namespace snug {

// The alternative that the setting's member has.
using SettingValue = std::variant<std::string, std::vector<std::string>, int64_t, bool>;

// What is wrong with a value of the right type, to stand behind the setting's name; empty when nothing is.
std::string fault_of(const Setting& setting, const SettingValue& value);
// Puts it in its place, with "~/" made the home folder where it is a path.
void store_value(const Setting& setting, SettingValue value, Configuration& configuration);
SettingValue value_in(const Setting& setting, const Configuration& configuration);

// In the setting's type; nothing when the node has another.
std::optional<SettingValue> value_of_node(const Setting& setting, const toml::node& node);
// The same of a variable's or an argument's text, in which lists are separated by ':' (paths) or ' '.
std::optional<SettingValue> value_of_text(const Setting& setting, const std::string& text);

}  // namespace snug
