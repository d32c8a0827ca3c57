#include "base/configuration.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/nearest_name.h"
#include "base/units.h"

namespace snug {
namespace {

constexpr uint64_t kFileLimitBytes = kMiB;

using Value = std::variant<std::string, std::vector<std::string>, int64_t, bool>;

std::string environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::string() : std::string(value);
}

std::string with_home(const std::string& path) {
  const std::string home = environment("HOME");
  return path.starts_with("~/") && !home.empty() ? home + path.substr(1) : path;
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

// What is wrong with a value of the right type; empty when nothing is.
std::string fault(const Setting& setting, const Value& value) {
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

void store(const Setting& setting, Value value, Configuration& configuration) {
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

Error bad_line(const std::string& file, const toml::source_region& place, const std::string& problem,
               std::string fix) {
  Error error(ErrorCode::kBadConfig, fmt::format("line {}: {}", place.begin.line, problem), std::move(fix));
  error.in_file(file);
  return error;
}

// The value of `node` in the setting's type, nothing when it has another.
std::optional<Value> typed_value(const Setting& setting, const toml::node& node) {
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

const Setting* find_setting(std::string_view key) {
  for (const Setting& setting : configuration_settings()) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

[[noreturn]] void refuse_key(const std::string& file, const toml::key& key) {
  std::vector<std::string_view> keys;
  for (const Setting& setting : configuration_settings()) keys.push_back(setting.key);
  const std::string_view near = nearest_name(key.str(), keys);
  throw bad_line(
      file, key.source(), fmt::format("there is no setting '{}'", key.str()),
      near.empty() ? "'snug help configuration' lists them" : fmt::format("did you mean {}?", near));
}

void read_file(const std::string& path, Configuration& configuration) {
  const std::string text = read_text(*open_file(path), kFileLimitBytes);
  toml::table table;
  try {
    table = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    throw bad_line(path, error.source(), std::string(error.description()),
                   "correct the line; 'snug help configuration' shows an example");
  }
  for (const auto& [key, node] : table) {
    const Setting* const setting = find_setting(key.str());
    if (setting == nullptr) refuse_key(path, key);
    std::optional<Value> value = typed_value(*setting, node);
    if (!value) {
      throw bad_line(path, node.source(), fmt::format("{} has the wrong type", setting->key),
                     fmt::format("give it a {}", type_name(*setting)));
    }
    if (const std::string problem = fault(*setting, *value); !problem.empty()) {
      throw bad_line(path, node.source(), fmt::format("{} {}", setting->key, problem),
                     "correct it or remove the line");
    }
    store(*setting, std::move(*value), configuration);
  }
  configuration.file = path;
}

Value value_of_variable(const Setting& setting, const std::string& text) {
  if (std::holds_alternative<std::string Configuration::*>(setting.member)) return text;
  if (std::holds_alternative<int64_t Configuration::*>(setting.member)) {
    int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data(), end, number);
    if (failure == std::errc() && stop == end) return number;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the variable {} is '{}', not a whole number", setting.environment, text),
                fmt::format("give a value from {} to {}, or unset it", setting.least, setting.most));
  }
  if (std::holds_alternative<bool Configuration::*>(setting.member)) {
    if (text == "1" || text == "true") return true;
    if (text == "0" || text == "false") return false;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the variable {} is '{}'", setting.environment, text), "give true or false");
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

void read_environment(Configuration& configuration) {
  for (const Setting& setting : configuration_settings()) {
    const std::string text = environment(setting.environment);
    if (text.empty()) continue;
    Value value = value_of_variable(setting, text);
    if (const std::string problem = fault(setting, value); !problem.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("the variable {} {}", setting.environment, problem), "correct or unset it");
    }
    store(setting, std::move(value), configuration);
  }
}

}  // namespace

std::string_view type_name(const Setting& setting) {
  if (std::holds_alternative<std::string Configuration::*>(setting.member)) return "text";
  if (std::holds_alternative<int64_t Configuration::*>(setting.member)) return "integer";
  if (std::holds_alternative<bool Configuration::*>(setting.member)) return "truth value";
  return "list of texts";
}

std::string configuration_path() {
  if (const std::string chosen = environment("SNUG_CONFIG"); !chosen.empty()) return chosen;
  constexpr const char* kName = "/snug/config.toml";
  // The XDG specification: a relative XDG_CONFIG_HOME counts as unset.
  if (const std::string folder = environment("XDG_CONFIG_HOME"); folder.starts_with('/'))
    return folder + kName;
  const std::string home = environment("HOME");
  return home.empty() ? std::string() : home + "/.config" + kName;
}

Configuration load_configuration(const std::string& path) {
  Configuration configuration;
  const bool named = !path.empty() || !environment("SNUG_CONFIG").empty();
  const std::string file = path.empty() ? configuration_path() : path;
  std::error_code ignored;
  if (named || (!file.empty() && std::filesystem::exists(file, ignored))) read_file(file, configuration);
  read_environment(configuration);
  return configuration;
}

std::string describe_settings() {
  std::string table = "| key | type | default | variable | meaning |\n|---|---|---|---|---|\n";
  for (const Setting& setting : configuration_settings()) {
    std::string meaning(setting.meaning);
    if (!setting.choices.empty()) meaning += fmt::format("; one of: {}", setting.choices);
    table += fmt::format("| `{}` | {} | {} | `{}` | {} |\n", setting.key, type_name(setting),
                         setting.default_text, setting.environment, meaning);
  }
  return table;
}

}  // namespace snug
