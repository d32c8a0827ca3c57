// For tests: the OpenAPI document as the server serves it, and whether a response is what it says. Used by
// openapi_test.cc, which says what is asked, and random_requests_test.cc, which asks at random.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "server/native/json_schema.h"
#include "server/native/native_routes.h"
#include "server/raw_client.h"

namespace snug::testing {

inline std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

class OpenapiDocument {
 public:
  explicit OpenapiDocument(std::string_view text = openapi_json())
      : json_(json::parse(text)), schemas_(json_) {}
  OpenapiDocument(const OpenapiDocument&) = delete;
  OpenapiDocument& operator=(const OpenapiDocument&) = delete;

  const json& json_document() const { return json_; }
  const JsonSchemas& schemas() const { return schemas_; }
  const json& paths() const { return json_.at("paths"); }
  const json& resolved(const json& value) const {
    return value.contains("$ref") ? schemas_.resolve(value["$ref"]) : value;
  }

  // Empty, or what about the response is not as the operation (`method` in any case, `path` as the document
  // writes it) says. Bodies other than JSON are not looked into.
  std::string response_fault(const std::string& method, const std::string& path,
                             const RawResponse& response) const {
    const json& responses = paths().at(path).at(lower_case(method)).at("responses");
    const std::string status = std::to_string(response.status);
    if (!responses.contains(status)) return "has a status that the document does not list";
    const json content = resolved(responses[status]).value("content", json::object());
    if (content.empty()) return response.body.empty() ? "" : "has a body";
    const std::string whole_type = response.header("Content-Type");
    const std::string type = whole_type.substr(0, whole_type.find(';'));
    if (!content.contains(type)) return "is of the type " + type;
    return type == "application/json" ? body_fault(content[type]["schema"], response.body) : "";
  }
  // The same of a response that is an Error, whatever was asked.
  std::string error_fault(const RawResponse& response) const {
    if (response.header("Content-Type") != "application/json") return "is no JSON";
    return body_fault({{"$ref", "#/components/schemas/Error"}}, response.body);
  }

 private:
  std::string body_fault(const json& schema, const std::string& body) const {
    const json parsed = json::parse(body, nullptr, /*allow_exceptions=*/false);
    return parsed.is_discarded() ? "is no valid JSON" : schemas_.fault(schema, parsed);
  }

  const json json_;
  const JsonSchemas schemas_;
};

}  // namespace snug::testing
