#include "media/a1111_parameters.h"

#include <cctype>

#include <nlohmann/json.hpp>

namespace snug {
namespace {

constexpr std::string_view kNegative = "Negative prompt:";
constexpr size_t kFewestSettings = 3;

using Settings = std::vector<std::pair<std::string, std::string>>;

std::string quote(const std::string& value) {
  if (value.find_first_of(",\n:") == std::string::npos) return value;
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string unquote(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::string(value);
  const nlohmann::json parsed = nlohmann::json::parse(value, nullptr, false);
  return parsed.is_string() ? parsed.get<std::string>() : std::string(value);
}

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
// A letter outside ASCII is part of a word.
bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0 || c == '_';
}
bool is_key(char c) { return is_word(c) || is_space(c) || c == '-' || c == '/'; }

// The length of the JSON string that `text` starts with, if it is the whole value: what follows is a comma or
// the end.
std::optional<size_t> quoted_length(std::string_view text) {
  if (text.empty() || text.front() != '"') return std::nullopt;
  size_t i = 1;
  while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
  if (i >= text.size() || i == 1) return std::nullopt;  // unfinished or empty
  ++i;
  if (i < text.size() && text[i] != ',') return std::nullopt;
  return i;
}

// All "Key: value" pairs of the line. What does not fit the form between them is skipped.
Settings parse_settings(std::string_view line) {
  Settings settings;
  size_t at = 0;
  while (at < line.size()) {
    if (!is_word(line[at])) {
      ++at;
      continue;
    }
    size_t key_end = at;
    while (key_end < line.size() && is_key(line[key_end])) ++key_end;
    const std::string_view key = line.substr(at, key_end - at);
    at = key_end + 1;
    if (key_end >= line.size() || line[key_end] != ':' || key.size() < 2) continue;
    while (at < line.size() && is_space(line[at])) ++at;
    const std::string_view rest = line.substr(at);
    const size_t length = quoted_length(rest).value_or(rest.substr(0, rest.find(',')).size());
    settings.emplace_back(key, unquote(rest.substr(0, length)));
    at += length + 1;
  }
  return settings;
}

std::string_view without_outer_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Cuts the first line off `rest`.
std::string_view cut_line(std::string_view& rest) {
  const size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return line;
}

}  // namespace

std::optional<std::string_view> A1111Parameters::find(std::string_view key) const {
  for (const auto& [name, value] : settings) {
    if (name == key) return value;
  }
  return std::nullopt;
}

std::string write_a1111_parameters(const A1111Parameters& parameters) {
  std::string text = parameters.prompt;
  const auto start_line = [&] {
    if (!text.empty()) text += '\n';
  };
  if (!parameters.negative_prompt.empty()) {
    start_line();
    text.append(kNegative).append(" ").append(parameters.negative_prompt);
  }
  if (parameters.settings.empty()) return text;
  start_line();
  std::string_view separator;
  for (const auto& [key, value] : parameters.settings) {
    text.append(separator).append(key).append(": ").append(quote(value));
    separator = ", ";
  }
  return text;
}

A1111Parameters parse_a1111_parameters(std::string_view text) {
  A1111Parameters parameters;
  std::string_view rest = text;
  while (!rest.empty() && is_space(rest.back())) rest.remove_suffix(1);
  const size_t last_break = rest.rfind('\n');
  const size_t last_line = last_break == std::string_view::npos ? 0 : last_break + 1;
  Settings settings = parse_settings(rest.substr(last_line));
  if (settings.size() >= kFewestSettings) {
    parameters.settings = std::move(settings);
    rest = rest.substr(0, last_break == std::string_view::npos ? 0 : last_break);
  }

  std::string* part = &parameters.prompt;
  bool first = true;
  while (!rest.empty()) {
    std::string_view line = cut_line(rest);
    const std::string_view trimmed = without_outer_space(line);
    if (trimmed.starts_with(kNegative) && part == &parameters.prompt) {
      part = &parameters.negative_prompt;
      first = true;
      line = without_outer_space(trimmed.substr(kNegative.size()));
    }
    if (!first) part->push_back('\n');
    part->append(line);
    first = false;
  }
  return parameters;
}

}  // namespace snug
