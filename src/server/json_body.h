// JSON that clients send: parsed under limits, and read field by field so that every wrong type and every
// unknown name is refused with its place. Called by the handlers of all APIs that take JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "server/http_message.h"

namespace snug {

inline constexpr int kMostJsonDepth = 32;

// Throws HttpError: 400 malformed_json (with the place, without quoting the text), nested deeper than
// `most_depth`, a name twice in one object.
nlohmann::json parse_json_body(std::string_view text, int most_depth = kMostJsonDepth);

// The fields of one object. Each is taken by its name and type; finish() refuses what nobody took. All throw
// HttpError 422 invalid_argument with the field's place: "steps", "images[1].id". null counts as absent.
class JsonFields {
 public:
  // `path`: of the object itself; empty: the body. Throws when `json` is no object. Keeps a reference.
  explicit JsonFields(const nlohmann::json& json, std::string path = {});

  std::optional<std::string> text(std::string_view name, size_t most_bytes = 100'000);
  std::string required_text(std::string_view name, size_t most_bytes = 100'000);
  std::optional<int64_t> integer(std::string_view name, int64_t least, int64_t most);
  std::optional<uint64_t> unsigned_integer(std::string_view name);
  std::optional<double> number(std::string_view name, double least, double most);
  std::optional<bool> truth(std::string_view name);
  std::optional<std::vector<std::string>> texts(std::string_view name, size_t most);
  // The value as it is; null when it is absent.
  const nlohmann::json* value(std::string_view name);

  std::string path_of(std::string_view name) const;
  bool has(std::string_view name) const;
  // Fields that are known and mean nothing here.
  void ignore(std::string_view name) { taken_.insert(std::string(name)); }
  // Throws for the first field that was not taken, with the nearest name that was.
  void finish() const;

 private:
  const nlohmann::json& json_;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
};

// The same for a query: `?limit=50&state=done`.
class QueryFields {
 public:
  explicit QueryFields(const HttpQuery& query) : query_(query) {}
  std::optional<std::string> text(std::string_view name);  // twice is refused
  std::optional<int64_t> integer(std::string_view name, int64_t least, int64_t most);
  void finish() const;

 private:
  const HttpQuery& query_;
  std::set<std::string, std::less<>> taken_;
};

}  // namespace snug
