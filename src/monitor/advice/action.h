// What a piece of advice does: one setting of the configuration with another value. Called by candidates.cc,
// which makes them, by everything that plans or tries a configuration with them, and by apply_change.cc,
// which writes them into the file.
//
// Values are text as a variable has it ("700MiB", "2", "true"). Throws invalid_argument for a key that is
// none and for a value of the wrong form; ranges are checked where the file is written. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/configuration.h"

namespace snug {

struct Action {
  std::string key, from, to;  // an empty `from`: it was left to the default
  bool operator==(const Action&) const = default;
};

// The setting's value in `configuration`, as text.
std::string setting_text(const Configuration& configuration, std::string_view key);
Configuration with_action(Configuration configuration, const Action& action);
Configuration with_actions(Configuration configuration, const std::vector<Action>& actions);
// The action that gives `key` the value `to`.
Action action_on(const Configuration& configuration, std::string_view key, std::string to);

// {"key", "from", "to"}; an empty text is null.
nlohmann::ordered_json to_json(const Action& action);

}  // namespace snug
