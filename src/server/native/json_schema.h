// A validator for tests, of the part of JSON Schema that openapi.json uses. A keyword that it does not know
// is a fault of the document: nothing is passed over.
#pragma once

#include <algorithm>
#include <array>
#include <regex>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace snug::testing {

using nlohmann::json;

class JsonSchemas {
 public:
  explicit JsonSchemas(const json& document) : document_(document) {}

  // Empty, or the first fault with its place.
  std::string fault(const json& schema, const json& value, const std::string& at = "$") const {
    if (schema.contains("$ref")) return fault(resolve(schema["$ref"].get<std::string>()), value, at);
    for (const auto& [keyword, rule] : schema.items()) {
      const std::string found = keyword_fault(schema, keyword, rule, value, at);
      if (!found.empty()) return found;
    }
    return {};
  }

  const json& resolve(const std::string& reference) const {
    return document_.at(json::json_pointer(reference.substr(1)));
  }

 private:
  static bool is_type(const json& value, const std::string& type) {
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return value.type_name() == type;
  }

  std::string keyword_fault(const json& schema, const std::string& keyword, const json& rule,
                            const json& value, const std::string& at) const {
    const auto wrong = [&](bool is_wrong) {
      return is_wrong ? fmt::format("{}: {} {}, is {}", at, keyword, rule.dump(), value.dump().substr(0, 80))
                      : std::string();
    };
    if (keyword == "type") {
      if (rule.is_string()) return wrong(!is_type(value, rule));
      return wrong(
          std::none_of(rule.begin(), rule.end(), [&](const json& type) { return is_type(value, type); }));
    }
    if (keyword == "const") return wrong(value != rule);
    if (keyword == "enum") return wrong(std::find(rule.begin(), rule.end(), value) == rule.end());
    if (keyword == "anyOf")
      return wrong(std::none_of(rule.begin(), rule.end(),
                                [&](const json& each) { return fault(each, value, at).empty(); }));
    if (keyword == "minimum") return wrong(value.is_number() && value.get<double>() < rule.get<double>());
    if (keyword == "maximum") return wrong(value.is_number() && value.get<double>() > rule.get<double>());
    if (keyword == "minLength")
      return wrong(value.is_string() && value.get<std::string>().size() < rule.get<size_t>());
    if (keyword == "maxLength")
      return wrong(value.is_string() && value.get<std::string>().size() > rule.get<size_t>());
    if (keyword == "minItems") return wrong(value.is_array() && value.size() < rule.get<size_t>());
    if (keyword == "maxItems") return wrong(value.is_array() && value.size() > rule.get<size_t>());
    if (keyword == "pattern")
      return wrong(value.is_string() &&
                   !std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>())));
    if (keyword == "required") return value.is_object() ? required_fault(rule, value, at) : "";
    if (keyword == "properties" || keyword == "additionalProperties")
      return value.is_object() ? properties_fault(schema, value, at) : "";
    if (keyword == "items") return value.is_array() ? items_fault(rule, value, at) : "";
    constexpr std::array kSilent = {"description", "default", "contentMediaType"};
    return std::find(kSilent.begin(), kSilent.end(), keyword) != kSilent.end()
               ? ""
               : fmt::format("{}: unknown keyword {}", at, keyword);
  }

  static std::string required_fault(const json& names, const json& value, const std::string& at) {
    for (const json& name : names) {
      if (!value.contains(name)) return fmt::format("{}: {} is missing", at, name.dump());
    }
    return {};
  }
  std::string properties_fault(const json& schema, const json& value, const std::string& at) const {
    const json properties = schema.value("properties", json::object());
    for (const auto& [name, inner] : value.items()) {
      if (properties.contains(name)) {
        const std::string found = fault(properties[name], inner, at + "." + name);
        if (!found.empty()) return found;
      } else if (!schema.value("additionalProperties", true)) {
        return fmt::format("{}: {} is in no schema", at, name);
      }
    }
    return {};
  }
  std::string items_fault(const json& rule, const json& value, const std::string& at) const {
    for (size_t i = 0; i < value.size(); ++i) {
      const std::string found = fault(rule, value[i], fmt::format("{}[{}]", at, i));
      if (!found.empty()) return found;
    }
    return {};
  }

  const json& document_;
};

}  // namespace snug::testing
