// Logging through spdlog to standard error: log::info("loaded {} tensors", n). The level comes from
// SNUG_LOG (trace, debug, info, warn, error, off; default warn), the form from SNUG_LOG_FORMAT: lines of
// text, or one JSON object a line for what collects logs. Prompts are never logged.
//
// A line about something that is looked for later has fields: log::event(log::Level::kInfo, "request",
// {{"status", 200}}) is `request status=200` in text and has a member "status" in JSON. Names of fields are
// Snug's own, with their units ("seconds", "peak_bytes"); values may be anything.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include <spdlog/spdlog.h>

namespace snug::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::trace;
using spdlog::warn;

enum class Level : uint8_t { kDebug, kInfo, kWarn, kError };
enum class Format : uint8_t { kText, kJson };

// `text` is only looked at while the line is written.
struct Field {
  std::string_view name;
  std::variant<std::string_view, int64_t, double> value;

  Field(std::string_view field, std::string_view text) : name(field), value(text) {}
  Field(std::string_view field, const std::string& text) : name(field), value(std::string_view(text)) {}
  Field(std::string_view field, const char* text) : name(field), value(std::string_view(text)) {}
  Field(std::string_view field, double number) : name(field), value(number) {}
  template <std::integral Number>
  Field(std::string_view field, Number number) : name(field), value(static_cast<int64_t>(number)) {}
};
using Fields = std::initializer_list<Field>;

void event(Level level, std::string_view message, Fields fields);

// Called once by main, before threads start: level and form by the environment.
void start();
// As the configuration says. Before threads start.
void set_format(Format format);

// The lines without their ends, for event() and for tests. Invalid UTF-8 becomes U+FFFD in JSON; numbers that
// JSON does not have become null.
std::string text_of_event(std::string_view message, Fields fields);
std::string json_line(std::chrono::system_clock::time_point time, std::string_view level,
                      std::string_view message, Fields fields);

}  // namespace snug::log
