#include "base/log.h"

#include <cmath>
#include <cstdlib>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace snug::log {
namespace {

constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%e%z %l %v";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Of the event that this thread is logging: the formatter is called on the same thread, in log().
thread_local const Fields* current_fields = nullptr;

// How many bytes the well-formed UTF-8 character at the front has; 0 where there is none.
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what is above U+10FFFF.
  const unsigned char second = byte(1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const size_t bytes = character_bytes(text);
    const char c = text.front();
    if (bytes == 0) {
      out += kReplacement;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  out += '"';
}

void append_number(std::string& out, double number) {
  out += std::isfinite(number) ? fmt::format("{}", number) : std::string("null");
}

// One word, or quoted like a JSON text.
void append_value(std::string& out, std::string_view text) {
  const bool is_word = !text.empty() && text.find_first_of(" \t\r\n\"=\\") == std::string_view::npos;
  if (is_word) {
    out += text;
  } else {
    append_json_text(out, text);
  }
}

class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const Fields none;
    const std::string line =
        json_line(message.time, level_word(message.level), {message.payload.data(), message.payload.size()},
                  current_fields != nullptr ? *current_fields : none);
    out.append(line.data(), line.data() + line.size());
    out.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }

 private:
  // As the configuration calls it.
  static std::string_view level_word(spdlog::level::level_enum level) {
    if (level == spdlog::level::warn) return "warn";
    const auto word = spdlog::level::to_string_view(level);
    return {word.data(), word.size()};
  }
};

Format chosen_format = Format::kText;

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarn: return spdlog::level::warn;
    case Level::kError: break;
  }
  return spdlog::level::err;
}

}  // namespace

std::string text_of_event(std::string_view message, Fields fields) {
  std::string line(message);
  for (const Field& field : fields) {
    line += fmt::format(" {}=", field.name);
    if (const auto* text = std::get_if<std::string_view>(&field.value)) append_value(line, *text);
    if (const auto* number = std::get_if<int64_t>(&field.value)) line += fmt::format("{}", *number);
    if (const auto* number = std::get_if<double>(&field.value)) append_number(line, *number);
  }
  return line;
}

std::string json_line(std::chrono::system_clock::time_point time, std::string_view level,
                      std::string_view message, Fields fields) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  std::string line = fmt::format(R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":)",
                                 fmt::gmtime(static_cast<std::time_t>(ms / 1000)), ms % 1000);
  append_json_text(line, level);
  line += R"(,"message":)";
  append_json_text(line, message);
  for (const Field& field : fields) {
    line += ',';
    append_json_text(line, field.name);
    line += ':';
    if (const auto* text = std::get_if<std::string_view>(&field.value)) append_json_text(line, *text);
    if (const auto* number = std::get_if<int64_t>(&field.value)) line += fmt::format("{}", *number);
    if (const auto* number = std::get_if<double>(&field.value)) append_number(line, *number);
  }
  return line + '}';
}

void event(Level level, std::string_view message, Fields fields) {
  const auto of_spdlog = spdlog_level(level);
  if (!spdlog::should_log(of_spdlog)) return;
  if (chosen_format == Format::kText) {
    spdlog::log(of_spdlog, "{}", text_of_event(message, fields));
    return;
  }
  current_fields = &fields;
  spdlog::log(of_spdlog, "{}", message);
  current_fields = nullptr;
}

void start() {
  auto logger = std::make_shared<spdlog::logger>("snug", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  const char* level = std::getenv("SNUG_LOG");
  logger->set_level(level == nullptr ? spdlog::level::warn : spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
  const char* format = std::getenv("SNUG_LOG_FORMAT");
  set_format(format != nullptr && std::string_view(format) == "json" ? Format::kJson : Format::kText);
}

void set_format(Format format) {
  chosen_format = format;
  if (format == Format::kJson) {
    spdlog::default_logger()->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    spdlog::default_logger()->set_pattern(kTextPattern);
  }
}

}  // namespace snug::log
