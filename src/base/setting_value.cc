#include "base/setting_value.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/error.h"
#include "base/units.h"

namespace snug {
namespace {

std::string with_home(const std::string& path) {
  const char* const home = std::getenv("HOME");
  return path.starts_with("~/") && home != nullptr && *home != '\0' ? home + path.substr(1) : path;
}

bool is_choice(const Setting& setting, std::string_view value) {
  if (setting.choices.empty()) return true;
  std::string_view rest = setting.choices;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == value) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

std::string fault_of_size(const std::string& text) {
  try {
    parse_bytes(text, "size");
  } catch (const Error& error) {
    return fmt::format("is '{}' and must be a size: {}", text, error.fix());
  }
  return {};
}

}  // namespace

std::string fault_of(const Setting& setting, const SettingValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (!is_choice(setting, *text))
      return fmt::format("is '{}' and must be one of: {}", *text, setting.choices);
    if (setting.is_size) return fault_of_size(*text);
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    if (*number < setting.least || *number > setting.most) {
      return fmt::format("is {} and must be from {} to {}", *number, setting.least, setting.most);
    }
  }
  return {};
}

void store_value(const Setting& setting, SettingValue value, Configuration& configuration) {
  if (setting.is_path) {
    if (auto* text = std::get_if<std::string>(&value)) *text = with_home(*text);
    if (auto* list = std::get_if<std::vector<std::string>>(&value)) {
      for (std::string& path : *list) path = with_home(path);
    }
  }
  std::visit(
      [&](auto member) {
        using Member = std::remove_reference_t<decltype(configuration.*member)>;
        configuration.*member = std::get<Member>(std::move(value));
      },
      setting.member);
}

std::optional<SettingValue> value_of_node(const Setting& setting, const toml::node& node) {
  if (std::holds_alternative<std::string Configuration::*>(setting.member)) {
    if (const auto text = node.value_exact<std::string>()) return *text;
    return std::nullopt;
  }
  if (std::holds_alternative<int64_t Configuration::*>(setting.member)) {
    if (const auto number = node.value_exact<int64_t>()) return *number;
    return std::nullopt;
  }
  if (std::holds_alternative<bool Configuration::*>(setting.member)) {
    if (const auto truth = node.value_exact<bool>()) return *truth;
    return std::nullopt;
  }
  const toml::array* const array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> list;
  for (const toml::node& entry : *array) {
    const auto text = entry.value_exact<std::string>();
    if (!text) return std::nullopt;
    list.push_back(*text);
  }
  return list;
}

std::optional<SettingValue> value_of_text(const Setting& setting, const std::string& text) {
  if (std::holds_alternative<std::string Configuration::*>(setting.member)) return text;
  if (std::holds_alternative<int64_t Configuration::*>(setting.member)) {
    int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data(), end, number);
    if (failure == std::errc() && stop == end) return number;
    return std::nullopt;
  }
  if (std::holds_alternative<bool Configuration::*>(setting.member)) {
    if (text == "1" || text == "true") return true;
    if (text == "0" || text == "false") return false;
    return std::nullopt;
  }
  std::vector<std::string> list;
  std::string_view rest = text;
  const char separator = setting.is_path ? ':' : ' ';  // addresses have colons, paths may have spaces
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(separator), rest.size());
    if (end > 0) list.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return list;
}

SettingValue value_in(const Setting& setting, const Configuration& configuration) {
  return std::visit([&](auto member) { return SettingValue(configuration.*member); }, setting.member);
}

}  // namespace snug
