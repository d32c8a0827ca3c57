#include "models/config_reader.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "weights/limited_json.h"

namespace snug {
namespace {

using nlohmann::json;

constexpr std::string_view kFix = "use the configuration that was published with these weights";

[[noreturn]] void fail_file(const std::string& file, std::string problem) {
  throw Error(ErrorCode::kBadConfig, std::move(problem), std::string(kFix)).in_file(file);
}

json parse(const ConfigText& config) {
  json object = parse_json(config.text, config.file, {.bytes = uint64_t{1} << 20});
  if (!object.is_object()) fail_file(config.file, "is not a JSON object");
  return object;
}

// A value for a message: short, whatever the file holds.
std::string shown(const json& value) {
  constexpr size_t kMostShown = 60;
  std::string text = value.dump(-1, ' ', true);
  if (text.size() > kMostShown) text = text.substr(0, kMostShown) + "...";
  return text;
}

}  // namespace

ConfigReader::ConfigReader(const ConfigText& config)
    : file_(config.file), object_(std::make_unique<json>(parse(config))) {}
ConfigReader::~ConfigReader() = default;

const json* ConfigReader::find(std::string_view key) const {
  const auto at = object_->find(key);
  return at == object_->end() || at->is_null() ? nullptr : &*at;
}

bool ConfigReader::has(std::string_view key) const { return find(key) != nullptr; }

void ConfigReader::fail(std::string_view key, std::string_view problem) const {
  fail_file(file_, fmt::format("{}: {}", key, problem));
}

void ConfigReader::refuse(std::string_view key, std::string_view problem) const {
  throw Error(ErrorCode::kUnsupportedArchitecture, fmt::format("{}: {}", key, problem),
              "`snug models` lists what Snug can run")
      .in_file(file_);
}

int64_t ConfigReader::checked_integer(std::string_view key, const json& value, IntegerRange range) const {
  if (!value.is_number_integer()) fail(key, shown(value) + " is not a whole number");
  // Numbers beyond 63 bits are kept unsigned by the parser.
  const bool too_large =
      value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  if (too_large || value.get<int64_t>() < range.least || value.get<int64_t>() > range.most) {
    fail(key, fmt::format("{} is outside {} to {}", shown(value), range.least, range.most));
  }
  return value.get<int64_t>();
}

int64_t ConfigReader::integer(std::string_view key, IntegerRange range,
                              std::optional<int64_t> fallback) const {
  const json* value = find(key);
  if (value != nullptr) return checked_integer(key, *value, range);
  if (!fallback.has_value()) fail(key, "is missing");
  return *fallback;
}

double ConfigReader::checked_number(std::string_view key, const json& value, NumberRange range) const {
  if (!value.is_number()) fail(key, shown(value) + " is not a number");
  const auto number = value.get<double>();
  if (!std::isfinite(number) || number < range.least || number > range.most) {
    fail(key, fmt::format("{} is outside {:g} to {:g}", shown(value), range.least, range.most));
  }
  return number;
}

double ConfigReader::number(std::string_view key, NumberRange range, std::optional<double> fallback) const {
  const json* value = find(key);
  if (value != nullptr) return checked_number(key, *value, range);
  if (!fallback.has_value()) fail(key, "is missing");
  return *fallback;
}

bool ConfigReader::boolean(std::string_view key, bool fallback) const {
  const json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) fail(key, shown(*value) + " is neither true nor false");
  return value->get<bool>();
}

std::string ConfigReader::text(std::string_view key, std::optional<std::string_view> fallback) const {
  const json* value = find(key);
  if (value == nullptr) {
    if (!fallback.has_value()) fail(key, "is missing");
    return std::string(*fallback);
  }
  if (!value->is_string()) fail(key, shown(*value) + " is not a text");
  return value->get<std::string>();
}

const json& ConfigReader::list(std::string_view key, std::optional<size_t> count) const {
  const json* value = find(key);
  if (value == nullptr) fail(key, "is missing");
  if (!value->is_array()) fail(key, shown(*value) + " is not a list");
  if (count.has_value() && value->size() != *count) {
    fail(key, fmt::format("has {} entries where {} are needed", value->size(), *count));
  }
  if (value->empty() || value->size() > kMostLevels) {
    fail(key, fmt::format("has {} entries, outside 1 to {}", value->size(), kMostLevels));
  }
  return *value;
}

std::vector<int64_t> ConfigReader::integers(std::string_view key, IntegerRange range,
                                            std::optional<size_t> count) const {
  std::vector<int64_t> result;
  for (const json& entry : list(key, count)) result.push_back(checked_integer(key, entry, range));
  return result;
}

std::vector<double> ConfigReader::numbers(std::string_view key, NumberRange range, size_t count) const {
  const json* value = find(key);
  if (value == nullptr) fail(key, "is missing");
  if (!value->is_array() || value->size() != count)
    fail(key, fmt::format("is not a list of {} numbers", count));
  std::vector<double> result;
  for (const json& entry : *value) result.push_back(checked_number(key, entry, range));
  return result;
}

std::vector<bool> ConfigReader::booleans(std::string_view key, size_t count) const {
  std::vector<bool> result;
  for (const json& entry : list(key, count)) {
    if (!entry.is_boolean()) fail(key, shown(entry) + " is neither true nor false");
    result.push_back(entry.get<bool>());
  }
  return result;
}

std::vector<std::string> ConfigReader::texts(std::string_view key, std::optional<size_t> count) const {
  std::vector<std::string> result;
  for (const json& entry : list(key, count)) {
    if (!entry.is_string()) fail(key, shown(entry) + " is not a text");
    result.push_back(entry.get<std::string>());
  }
  return result;
}

std::vector<int64_t> ConfigReader::one_or_each(std::string_view key, IntegerRange range, size_t count,
                                               std::optional<int64_t> fallback) const {
  const json* value = find(key);
  if (value != nullptr && value->is_array()) return integers(key, range, count);
  return std::vector<int64_t>(count, integer(key, range, fallback));
}

bool ConfigReader::is(std::string_view key, std::string_view value) const {
  const json* const found = find(key);
  return found != nullptr && *found == json::parse(value);
}

void ConfigReader::require_only(std::string_view key,
                                std::initializer_list<std::string_view> accepted) const {
  const json* value = find(key);
  if (value == nullptr) return;
  const bool known = std::any_of(accepted.begin(), accepted.end(),
                                 [value](std::string_view one) { return *value == json::parse(one); });
  if (!known) refuse(key, shown(*value) + " is not implemented");
}

}  // namespace snug
