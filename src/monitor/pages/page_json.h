// How pages write what is not plain JSON: times, sizes, and what is unknown, which is null.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace snug {

template <class Value>
nlohmann::ordered_json or_null(const std::optional<Value>& value) {
  return value.has_value() ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}
inline nlohmann::ordered_json or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
}

// MiB, which the API's older names call mb.
nlohmann::ordered_json mb_json(const std::optional<int64_t>& bytes);

// "2026-11-21T19:19:22.123Z".
nlohmann::ordered_json page_time_json(const std::optional<int64_t>& ms_since_1970);

}  // namespace snug
