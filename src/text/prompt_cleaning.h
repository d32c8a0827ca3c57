// Cleans a prompt as diffusers' Wan pipelines do before they tokenize it (prompt_clean): what ftfy.fix_text
// mends, HTML's references, whitespace. Called by the pipeline before SentencePieceTokenizer.
//
// ftfy 6.3 (Robyn Speer, Apache-2.0) says what is mended, in this order, line by line and again until nothing
// changes: HTML's references unless there is a '<', text taken for the wrong encoding (mojibake.h), C1
// control characters, Latin ligatures, full-width and half-width forms, curly quotes, line breaks, terminals'
// colours, control characters, NFC.
#pragma once

#include <string>
#include <string_view>

namespace snug {

// UTF-8 in and out; U+FFFD for what a reference asks for that is no character. Whitespace at the ends is
// gone, every run inside is one space. Throws invalid_argument when `prompt` is not UTF-8 or too long
// (unicode_text.h).
std::string clean_prompt(std::string_view prompt);

// ftfy.fix_text alone.
std::u32string fix_text(std::u32string_view text);

}  // namespace snug
