// Unicode facts that prompts need: is it UTF-8, what is whitespace, what is a word, and the normalisation
// that CLIP's tokenizer applies. Called by prompt_syntax.cc and clip_tokenizer.cc; everything else in Snug
// treats text as bytes. The tables are utf8proc's (Unicode 14).
// All functions are pure and safe to call from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace snug {

// The longest prompt taken, about 7000 tokens. Nested brackets cost the square of the length in the worst
// case; this bound keeps the worst prompt within a third of a second.
inline constexpr size_t kMaxPromptBytes = 32 * 1024;

// Throws invalid_argument, with the position of the first wrong byte, unless `prompt` is UTF-8 of at most
// kMaxPromptBytes bytes. Surrogates and overlong forms are wrong; a zero byte is not.
void require_prompt(std::string_view prompt);

// Surrogates and overlong forms are wrong; a zero byte is not. An empty text is UTF-8.
bool is_utf8(std::string_view text);

// The code point that starts at byte `position` of valid UTF-8, which is moved behind it.
int32_t next_code_point(std::string_view text, size_t* position);

// Code points of valid UTF-8, and back. A code point that is no character becomes U+FFFD.
std::u32string to_code_points(std::string_view text);
std::string to_utf8(std::u32string_view text);

// NFC of the whole, NFKC of one character.
std::u32string to_nfc(std::u32string_view text);
std::u32string to_nfkc(char32_t code_point);
// One code point's simple upper case.
char32_t to_upper(char32_t code_point);
// Of any script.
bool is_decimal_digit(char32_t code_point);

// Unicode's White_Space property.
bool is_whitespace(int32_t code_point);

// A letter, a number or '_': what regular expressions call \w.
bool is_word_character(int32_t code_point);

// NFC, then every run of whitespace becomes one space, then lower case by code point (U+0130 becomes two, no
// other context). In this order, as the CLIPTokenizer of transformers 5 does; letters that lower-casing
// leaves decomposed stay so.
std::string normalize_for_clip(std::string_view text);

}  // namespace snug
