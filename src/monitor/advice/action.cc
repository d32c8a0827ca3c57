#include "monitor/advice/action.h"

#include <algorithm>
#include <charconv>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace snug {
namespace {

const Setting& setting_named(std::string_view key) {
  const auto settings = configuration_settings();
  const auto found =
      std::find_if(settings.begin(), settings.end(), [&](const Setting& one) { return one.key == key; });
  if (found != settings.end()) return *found;
  throw Error(ErrorCode::kInvalidArgument, fmt::format("there is no setting '{}'", key),
              "'snug help configuration' lists them");
}

Error wrong(const Action& action) {
  return {ErrorCode::kInvalidArgument, fmt::format("{} cannot be '{}'", action.key, action.to),
          "'snug help configuration' says what it can be"};
}

int64_t integer_of(const Action& action) {
  int64_t value = 0;
  const char* const end = action.to.data() + action.to.size();
  const auto [stop, failure] = std::from_chars(action.to.data(), end, value);
  if (failure != std::errc() || stop != end) throw wrong(action);
  return value;
}

bool truth_of(const Action& action) {
  if (action.to != "true" && action.to != "false") throw wrong(action);
  return action.to == "true";
}

}  // namespace

std::string setting_text(const Configuration& configuration, std::string_view key) {
  return std::visit(
      [&](auto member) -> std::string {
        const auto& value = configuration.*member;
        using Value = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::string>) return value;
        if constexpr (std::is_same_v<Value, bool>) return value ? "true" : "false";
        if constexpr (std::is_same_v<Value, int64_t>) return std::to_string(value);
        if constexpr (std::is_same_v<Value, std::vector<std::string>>)
          return fmt::format("{}", fmt::join(value, " "));
      },
      setting_named(key).member);
}

Configuration with_action(Configuration configuration, const Action& action) {
  std::visit(
      [&](auto member) {
        auto& value = configuration.*member;
        using Value = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::string>) value = action.to;
        if constexpr (std::is_same_v<Value, bool>) value = truth_of(action);
        if constexpr (std::is_same_v<Value, int64_t>) value = integer_of(action);
        // No advice is about a list.
        if constexpr (std::is_same_v<Value, std::vector<std::string>>) throw wrong(action);
      },
      setting_named(action.key).member);
  return configuration;
}

Configuration with_actions(Configuration configuration, const std::vector<Action>& actions) {
  for (const Action& action : actions) configuration = with_action(std::move(configuration), action);
  return configuration;
}

Action action_on(const Configuration& configuration, std::string_view key, std::string to) {
  return {std::string(key), setting_text(configuration, key), std::move(to)};
}

nlohmann::ordered_json to_json(const Action& action) {
  using nlohmann::ordered_json;
  const auto text = [](const std::string& value) {
    return value.empty() ? ordered_json() : ordered_json(value);
  };
  return {{"key", action.key}, {"from", text(action.from)}, {"to", text(action.to)}};
}

}  // namespace snug
