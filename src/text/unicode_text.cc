#include "text/unicode_text.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr int32_t kCapitalIWithDot = 0x130;
constexpr std::string_view kSmallIWithCombiningDot = "i\xCC\x87";

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

const utf8proc_uint8_t* utf8_bytes(std::string_view text) {
  return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

std::string compose(std::string_view text) {
  utf8proc_uint8_t* composed = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(utf8_bytes(text), static_cast<utf8proc_ssize_t>(text.size()), &composed,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, Free> owner(composed);
  if (length == UTF8PROC_ERROR_NOMEM) throw std::bad_alloc();
  SNUG_CHECK(length >= 0, "text was checked to be UTF-8");
  return {reinterpret_cast<const char*>(composed), static_cast<size_t>(length)};
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

}  // namespace

void require_prompt(std::string_view prompt) {
  if (prompt.size() > kMaxPromptBytes) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the prompt is {} bytes long, the most is {}", prompt.size(), kMaxPromptBytes),
                "shorten it");
  }
  size_t position = 0;
  while (position < prompt.size()) {
    const std::string_view rest = prompt.substr(position);
    utf8proc_int32_t code_point = 0;
    const utf8proc_ssize_t length =
        utf8proc_iterate(utf8_bytes(rest), static_cast<utf8proc_ssize_t>(rest.size()), &code_point);
    if (length <= 0) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("the prompt is not UTF-8: byte {} (0x{:02X}) starts no character", position,
                              static_cast<unsigned char>(prompt[position])),
                  "send the prompt as UTF-8");
    }
    position += static_cast<size_t>(length);
  }
}

int32_t next_code_point(std::string_view text, size_t* position) {
  const std::string_view rest = text.substr(*position);
  utf8proc_int32_t code_point = 0;
  const utf8proc_ssize_t length =
      utf8proc_iterate(utf8_bytes(rest), static_cast<utf8proc_ssize_t>(rest.size()), &code_point);
  SNUG_CHECK(length > 0, "text was checked to be UTF-8");
  *position += static_cast<size_t>(length);
  return code_point;
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
  const std::string composed = is_ascii(text) ? std::string(text) : compose(text);
  std::string out;
  out.reserve(composed.size());
  bool in_whitespace = false;
  for (size_t position = 0; position < composed.size();) {
    const int32_t code_point = next_code_point(composed, &position);
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
