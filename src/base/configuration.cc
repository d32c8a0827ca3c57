#include "base/configuration.h"

#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/nearest_name.h"
#include "base/setting_value.h"
#include "base/units.h"

namespace snug {
namespace {

// More than anyone writes by hand.
constexpr uint64_t kFileLimitBytes = kMiB;

std::string environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value == nullptr ? std::string() : std::string(value);
}

Error bad_line(const std::string& file, const toml::source_region& place, const std::string& problem,
               std::string fix) {
  Error error(ErrorCode::kBadConfig, fmt::format("line {}: {}", place.begin.line, problem), std::move(fix));
  error.in_file(file);
  return error;
}

[[noreturn]] void refuse_key(const std::string& file, const toml::key& key) {
  std::vector<std::string_view> keys;
  for (const Setting& setting : configuration_settings()) keys.push_back(setting.key);
  const std::string_view near = nearest_name(key.str(), keys);
  throw bad_line(
      file, key.source(), fmt::format("there is no setting '{}'", key.str()),
      near.empty() ? "'snug help configuration' lists them" : fmt::format("did you mean {}?", near));
}

void read_settings(const std::string& text, const std::string& path, Configuration& configuration) {
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
    std::optional<SettingValue> value = value_of_node(*setting, node);
    if (!value) {
      throw bad_line(path, node.source(), fmt::format("{} has the wrong type", setting->key),
                     fmt::format("give it a {}", type_name(*setting)));
    }
    if (const std::string problem = fault_of(*setting, *value); !problem.empty()) {
      throw bad_line(path, node.source(), fmt::format("{} {}", setting->key, problem),
                     "correct it or remove the line");
    }
    store_value(*setting, std::move(*value), configuration);
  }
}

SettingValue value_of_variable(const Setting& setting, const std::string& text) {
  if (std::optional<SettingValue> value = value_of_text(setting, text)) return *std::move(value);
  if (std::holds_alternative<bool Configuration::*>(setting.member)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the variable {} is '{}'", setting.environment, text), "give true or false");
  }
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("the variable {} is '{}', not a whole number", setting.environment, text),
              fmt::format("give a value from {} to {}, or unset it", setting.least, setting.most));
}

void read_environment(Configuration& configuration) {
  for (const Setting& setting : configuration_settings()) {
    const std::string text = environment(setting.environment);
    if (text.empty()) continue;
    SettingValue value = value_of_variable(setting, text);
    if (const std::string problem = fault_of(setting, value); !problem.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("the variable {} {}", setting.environment, problem), "correct or unset it");
    }
    store_value(setting, std::move(value), configuration);
  }
}

}  // namespace

std::string_view type_name(const Setting& setting) {
  if (std::holds_alternative<std::string Configuration::*>(setting.member)) return "text";
  if (std::holds_alternative<int64_t Configuration::*>(setting.member)) return "integer";
  if (std::holds_alternative<bool Configuration::*>(setting.member)) return "truth value";
  return "list of texts";
}

const Setting* find_setting(std::string_view key) {
  for (const Setting& setting : configuration_settings()) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
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
  if (named || (!file.empty() && std::filesystem::exists(file, ignored))) {
    configuration = parse_configuration(read_configuration_text(file), file);
    configuration.file = file;
  }
  return with_environment(std::move(configuration));
}

Configuration with_environment(Configuration configuration) {
  read_environment(configuration);
  return configuration;
}

std::string read_configuration_text(const std::string& path) {
  return read_text(*open_file(path), kFileLimitBytes);
}

Configuration parse_configuration(const std::string& text, const std::string& name) {
  Configuration configuration;
  read_settings(text, name, configuration);
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
