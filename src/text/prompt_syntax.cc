#include "text/prompt_syntax.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "text/unicode_text.h"

namespace snug {
namespace {

constexpr double kBracketFactor = 1.1;
constexpr std::string_view kBreak = "BREAK";
constexpr std::string_view kSyntaxCharacters = "\\()[]:<";

size_t skip_whitespace(std::string_view text, size_t position) {
  while (position < text.size()) {
    size_t next = position;
    if (!is_whitespace(next_code_point(text, &next))) break;
    position = next;
  }
  return position;
}

// Where the code point before `position` starts; `position` is not 0.
size_t previous_start(std::string_view text, size_t position) {
  --position;
  while ((static_cast<unsigned char>(text[position]) & 0xC0U) == 0x80U) --position;
  return position;
}

bool word_ends_at(std::string_view text, size_t position) {
  return position == text.size() || !is_word_character(next_code_point(text, &position));
}

bool word_starts_at(std::string_view text, size_t position) {
  if (position == 0) return true;
  size_t previous = previous_start(text, position);
  return !is_word_character(next_code_point(text, &previous));
}

std::string_view trim_end(std::string_view text) {
  while (!text.empty()) {
    const size_t start = previous_start(text, text.size());
    size_t position = start;
    if (!is_whitespace(next_code_point(text, &position))) break;
    text = text.substr(0, start);
  }
  return text;
}

// ":1.3)" at the start of `text`, spaces allowed round the number: the weight, and how long it all is.
struct ExplicitWeight {
  double value;
  size_t length;
};

std::optional<ExplicitWeight> explicit_weight(std::string_view text) {
  size_t begin = skip_whitespace(text, 1);
  const bool has_sign = begin < text.size() && (text[begin] == '+' || text[begin] == '-');
  const size_t digits = begin + (has_sign ? 1 : 0);
  if (has_sign && text[begin] == '+') ++begin;  // from_chars takes '-' alone
  const size_t end = std::min(text.find_first_not_of("0123456789.", digits), text.size());
  const size_t close = skip_whitespace(text, end);
  if (close >= text.size() || text[close] != ')') return std::nullopt;
  double value = 0;
  const auto [stop, error] =
      std::from_chars(text.data() + begin, text.data() + end, value, std::chars_format::fixed);
  if (error != std::errc() || stop != text.data() + end) return std::nullopt;
  return ExplicitWeight{value, close + 1};
}

// "<lora:name:0.8>" at the start of `text`, and how long it is.
struct LoraTag {
  PromptLora lora;
  size_t length;
};

std::optional<LoraTag> lora_tag(std::string_view text) {
  constexpr std::string_view kBegin = "<lora:";
  if (!text.starts_with(kBegin)) return std::nullopt;
  const size_t close = text.find_first_of("<>", kBegin.size());
  if (close == std::string_view::npos || text[close] != '>') return std::nullopt;
  std::string_view inner = text.substr(kBegin.size(), close - kBegin.size());
  LoraTag tag{{std::string(inner.substr(0, inner.find(':'))), 1}, close + 1};
  if (tag.lora.name.empty()) return std::nullopt;
  if (tag.lora.name.size() == inner.size()) return tag;
  inner.remove_prefix(tag.lora.name.size() + 1);
  if (inner.starts_with('+')) inner.remove_prefix(1);  // from_chars takes '-' alone
  const auto [stop, error] =
      std::from_chars(inner.data(), inner.data() + inner.size(), tag.lora.weight, std::chars_format::fixed);
  const bool is_number = error == std::errc() && stop == inner.data() + inner.size();
  if (!is_number || !std::isfinite(tag.lora.weight)) return std::nullopt;
  return tag;
}

class PromptParser {
 public:
  explicit PromptParser(std::string_view prompt) : rest_(prompt) {}

  ParsedPrompt run() {
    while (!rest_.empty()) step();
    for (const size_t first : round_) scale_from(first, kBracketFactor);
    for (const size_t first : square_) scale_from(first, 1.0 / kBracketFactor);
    return merged();
  }

 private:
  void step() {
    const char c = rest_.front();
    if (c == '\\') {
      escape();
    } else if (c == '(') {
      round_.push_back(spans_.size());
      rest_.remove_prefix(1);
    } else if (c == '[') {
      square_.push_back(spans_.size());
      rest_.remove_prefix(1);
    } else if (c == ')' && !round_.empty()) {
      close(&round_, kBracketFactor);
      rest_.remove_prefix(1);
    } else if (c == ']' && !square_.empty()) {
      close(&square_, 1.0 / kBracketFactor);
      rest_.remove_prefix(1);
    } else if (c == ':') {
      colon();
    } else if (const auto tag = lora_tag(rest_)) {
      rest_.remove_prefix(tag->length);
    } else {
      literal(std::max<size_t>(1, std::min(rest_.find_first_of(kSyntaxCharacters), rest_.size())));
    }
  }

  void escape() {
    const bool escapes =
        rest_.size() > 1 && std::string_view("\\()[]").find(rest_[1]) != std::string_view::npos;
    if (escapes) spans_.push_back({std::string(1, rest_[1]), 1.0, false});
    rest_.remove_prefix(escapes ? 2 : 1);
  }

  void colon() {
    const auto weight = explicit_weight(rest_);
    if (weight && !round_.empty()) {
      close(&round_, weight->value);
      rest_.remove_prefix(weight->length);
    } else {
      literal(weight ? weight->length : 1);
    }
  }

  void close(std::vector<size_t>* open, double factor) {
    scale_from(open->back(), factor);
    open->pop_back();
  }

  void scale_from(size_t first, double factor) {
    for (size_t i = first; i < spans_.size(); ++i) {
      spans_[i].weight = std::clamp(spans_[i].weight * factor, -kMaxPromptWeight, kMaxPromptWeight);
    }
  }

  // `length` bytes as text, cut where BREAK stands as a word of its own; the whitespace round it goes with
  // it.
  void literal(size_t length) {
    std::string_view run = rest_.substr(0, length);
    rest_.remove_prefix(length);
    size_t found = 0;
    while ((found = run.find(kBreak, found)) != std::string_view::npos) {
      const size_t end = found + kBreak.size();
      if (!word_starts_at(run, found) || !word_ends_at(run, end)) {
        found = end;
        continue;
      }
      text(trim_end(run.substr(0, found)));
      spans_.push_back({"", 1.0, true});
      run = run.substr(skip_whitespace(run, end));
      found = 0;
    }
    text(run);
  }

  void text(std::string_view words) {
    if (!words.empty()) spans_.push_back({std::string(words), 1.0, false});
  }

  ParsedPrompt merged() {
    ParsedPrompt merged;
    for (PromptSpan& span : spans_) {
      if (span.is_break) span.weight = 1.0;
      const bool joins =
          !merged.empty() && !span.is_break && !merged.back().is_break && merged.back().weight == span.weight;
      if (joins) {
        merged.back().text += span.text;
      } else {
        merged.push_back(std::move(span));
      }
    }
    return merged;
  }

  std::string_view rest_;
  ParsedPrompt spans_;
  // Brackets that are open: the first span inside each.
  std::vector<size_t> round_, square_;
};

}  // namespace

ParsedPrompt parse_prompt(std::string_view prompt) {
  require_prompt(prompt);
  return PromptParser(prompt).run();
}

std::vector<PromptLora> loras_in_prompt(std::string_view prompt) {
  std::vector<PromptLora> loras;
  for (size_t at = prompt.find('<'); at != std::string_view::npos; at = prompt.find('<', at + 1)) {
    if (auto tag = lora_tag(prompt.substr(at))) loras.push_back(std::move(tag->lora));
  }
  return loras;
}

std::string without_loras(std::string_view prompt) {
  std::string text;
  while (!prompt.empty()) {
    const auto tag = lora_tag(prompt);
    const size_t length = tag ? tag->length : std::min(prompt.find('<', 1), prompt.size());
    if (!tag) text += prompt.substr(0, length);
    prompt.remove_prefix(length);
  }
  return text;
}

ParsedPrompt plain_prompt(std::string_view prompt) {
  require_prompt(prompt);
  if (prompt.empty()) return {};
  return {{std::string(prompt), 1.0, false}};
}

}  // namespace snug
