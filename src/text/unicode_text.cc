#include "text/unicode_text.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <utf8proc.h>

#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr int32_t kCapitalIWithDot = 0x130;
constexpr std::string_view kSmallIWithCombiningDot = "i\xCC\x87";

const utf8proc_uint8_t* utf8_bytes(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

int combining_class(utf8proc_int32_t code_point) {
  return utf8proc_get_property(code_point)->combining_class;
}

// Canonical decomposition of one code point, unordered.
void append_decomposed(int32_t code_point, std::vector<utf8proc_int32_t>* out) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  utf8proc_int32_t parts[8];  // the longest in Unicode has 4
  int boundary_state = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(code_point, parts, 8, kOptions, &boundary_state);
  SNUG_CHECK(count >= 0 && count <= 8, "canonical decompositions are short");
  out->insert(out->end(), parts, parts + count);
}

// Each run of combining marks sorted by class. utf8proc_map does this too, in quadratic time.
void order_canonically(std::vector<utf8proc_int32_t>* code_points) {
  const auto is_mark = [](utf8proc_int32_t c) { return combining_class(c) > 0; };
  for (auto begin = code_points->begin(); begin != code_points->end();) {
    begin = std::find_if(begin, code_points->end(), is_mark);
    const auto end = std::find_if_not(begin, code_points->end(), is_mark);
    std::stable_sort(begin, end, [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

// NFC.
std::vector<utf8proc_int32_t> compose(std::u32string_view text) {
  std::vector<utf8proc_int32_t> code_points;
  code_points.reserve(text.size());
  for (const char32_t c : text) append_decomposed(static_cast<int32_t>(c), &code_points);
  order_canonically(&code_points);
  const utf8proc_ssize_t length =
      utf8proc_normalize_utf32(code_points.data(), static_cast<utf8proc_ssize_t>(code_points.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  SNUG_CHECK(length >= 0, "composition only shortens");
  code_points.resize(static_cast<size_t>(length));
  return code_points;
}

void append_lower(int32_t code_point, std::string* out) {
  if (code_point == kCapitalIWithDot) {
    out->append(kSmallIWithCombiningDot);
    return;
  }
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t length = utf8proc_encode_char(utf8proc_tolower(code_point), bytes);
  out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
}

// npos when there is none.
size_t first_wrong_byte(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    const std::string_view rest = text.substr(position);
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t length =
        utf8proc_iterate(utf8_bytes(rest), static_cast<utf8proc_ssize_t>(rest.size()), &code_point);
    if (length <= 0) return position;
    position += static_cast<size_t>(length);
  }
  return std::string_view::npos;
}

}  // namespace

void require_prompt(std::string_view prompt) {
  if (prompt.size() > kMaxPromptBytes) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the prompt is {} bytes long, the most is {}", prompt.size(), kMaxPromptBytes),
                "shorten it");
  }
  if (const auto wrong = first_wrong_byte(prompt); wrong != std::string_view::npos) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the prompt is not UTF-8: byte {} (0x{:02X}) starts no character", wrong,
                            static_cast<unsigned char>(prompt[wrong])),
                "send the prompt as UTF-8");
  }
}

bool is_utf8(std::string_view text) { return first_wrong_byte(text) == std::string_view::npos; }

int32_t next_code_point(std::string_view text, size_t* position) {
  const std::string_view rest = text.substr(*position);
  utf8proc_int32_t code_point = 0;
  const utf8proc_ssize_t length =
      utf8proc_iterate(utf8_bytes(rest), static_cast<utf8proc_ssize_t>(rest.size()), &code_point);
  SNUG_CHECK(length > 0, "text was checked to be UTF-8");
  *position += static_cast<size_t>(length);
  return code_point;
}

std::u32string to_code_points(std::string_view text) {
  std::u32string code_points;
  code_points.reserve(text.size());
  for (size_t position = 0; position < text.size();) {
    code_points.push_back(static_cast<char32_t>(next_code_point(text, &position)));
  }
  return code_points;
}

std::string to_utf8(std::u32string_view text) {
  constexpr utf8proc_int32_t kReplacement = 0xfffd;
  std::string out;
  out.reserve(text.size());
  for (const char32_t c : text) {
    const auto code_point = static_cast<utf8proc_int32_t>(c);
    utf8proc_uint8_t bytes[4];
    const bool valid = utf8proc_codepoint_valid(code_point);
    const utf8proc_ssize_t length = utf8proc_encode_char(valid ? code_point : kReplacement, bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
  }
  return out;
}

std::u32string to_nfc(std::u32string_view text) {
  const std::vector<utf8proc_int32_t> composed = compose(text);
  return {composed.begin(), composed.end()};
}

std::u32string to_nfkc(char32_t code_point) {
  constexpr auto kOptions =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  utf8proc_int32_t parts[32];  // the longest in Unicode has 18
  int boundary_state = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code_point), parts, 32,
                                                         kOptions, &boundary_state);
  SNUG_CHECK(count >= 0 && count <= 32, "compatibility decompositions are short");
  return to_nfc(std::u32string(parts, parts + count));
}

char32_t to_upper(char32_t code_point) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code_point)));
}

bool is_decimal_digit(char32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point)) == UTF8PROC_CATEGORY_ND;
}

bool is_whitespace(int32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_word_character(int32_t code_point) {
  const utf8proc_category_t category = utf8proc_category(code_point);
  const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
  const bool number = category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
  return letter || number || code_point == '_';
}

std::string normalize_for_clip(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_whitespace = false;
  for (const utf8proc_int32_t code_point : compose(to_code_points(text))) {
    const bool whitespace = is_whitespace(code_point);
    if (!whitespace) {
      append_lower(code_point, &out);
    } else if (!in_whitespace) {
      out.push_back(' ');
    }
    in_whitespace = whitespace;
  }
  return out;
}

}  // namespace snug
