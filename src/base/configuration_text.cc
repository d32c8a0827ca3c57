#include "base/configuration_text.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/check.h"

namespace snug {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kThreeQuotes = "\"\"\"", kThreeApostrophes = "'''";

// Walks over what toml++ has accepted: that brackets close and quotes end is known.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  }

  std::vector<TomlStatement> statements() {
    std::vector<TomlStatement> list;
    while (true) {
      skip_blanks_and_comments();
      if (at_end()) return list;
      TomlStatement statement;
      statement.key = key();
      skip_spaces();
      SNUG_CHECK(!at_end() && text_[at_] == '=', "a key is followed by its value");
      ++at_;
      skip_spaces();
      statement.begin = at_;
      skip_value();
      statement.end = at_;
      list.push_back(std::move(statement));
    }
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  void skip_spaces() {
    while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  void skip_blanks_and_comments() {
    while (true) {
      at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
      if (at_end() || text_[at_] != '#') return;
      at_ = std::min(text_.find('\n', at_), text_.size());
    }
  }

  std::string key() {
    const size_t begin = at_;
    if (text_[at_] == '"' || text_[at_] == '\'') {
      skip_text();
    } else {
      at_ = std::min(text_.find_first_of(" \t=", at_), text_.size());
    }
    // Quoted ones may have escapes, which the parser knows.
    const toml::table table = toml::parse(fmt::format("{} = 0", text_.substr(begin, at_ - begin)));
    return std::string(table.begin()->first.str());
  }

  // A string of one of the four kinds.
  void skip_text() {
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with(kThreeQuotes) || rest.starts_with(kThreeApostrophes)) {
      skip_long_text(rest.substr(0, kThreeQuotes.size()));
      return;
    }
    const char quote = text_[at_++];
    while (text_[at_] != quote) at_ += quote == '"' && text_[at_] == '\\' ? 2 : 1;
    ++at_;
  }

  void skip_long_text(std::string_view quotes) {
    at_ += quotes.size();
    while (text_.substr(at_, quotes.size()) != quotes) at_ += quotes[0] == '"' && text_[at_] == '\\' ? 2 : 1;
    at_ += quotes.size();
    // One or two quotes may stand before the three that end it.
    while (!at_end() && text_[at_] == quotes[0]) ++at_;
  }

  void skip_value() {
    if (text_[at_] == '"' || text_[at_] == '\'') {
      skip_text();
    } else if (text_[at_] == '[') {
      skip_array();
    } else {
      at_ = std::min(text_.find_first_of(" \t\r\n#", at_), text_.size());
    }
  }

  void skip_array() {
    ++at_;
    while (true) {
      skip_blanks_and_comments();
      const char next = text_[at_];
      if (next == '"' || next == '\'') {
        skip_text();
        continue;
      }
      ++at_;
      if (next == ']') return;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      out += {'\\', letter};
    } else if (code < 0x20 || code == 0x7f) {
      out += fmt::format("\\u{:04X}", code);
    } else {
      out += letter;
    }
  }
  return out + "\"";
}

std::string_view line_end(std::string_view text) {
  const size_t first = text.find('\n');
  return first != std::string_view::npos && first > 0 && text[first - 1] == '\r' ? "\r\n" : "\n";
}

}  // namespace

std::vector<TomlStatement> toml_statements(std::string_view text) { return Scanner(text).statements(); }

std::string toml_text(const SettingValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  if (const auto* number = std::get_if<int64_t>(&value)) return fmt::format("{}", *number);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  std::string list;
  for (const std::string& entry : std::get<std::vector<std::string>>(value)) {
    list += (list.empty() ? "" : ", ") + quoted(entry);
  }
  return fmt::format("[{}]", list);
}

std::string with_value(std::string_view text, std::string_view key, const SettingValue& value) {
  for (const TomlStatement& statement : toml_statements(text)) {
    if (statement.key != key) continue;
    return fmt::format("{}{}{}", text.substr(0, statement.begin), toml_text(value),
                       text.substr(statement.end));
  }
  const std::string_view end = line_end(text);
  const bool is_open = !text.empty() && text.back() != '\n' && text != kByteOrderMark;
  return fmt::format("{}{}{} = {}{}", text, is_open ? end : "", key, toml_text(value), end);
}

}  // namespace snug
