// Which sequences of characters give mojibake away: the heuristic of ftfy 6.3 (Robyn Speer, ftfy.badness,
// Apache-2.0). Called by mojibake.cc.
#pragma once

#include <string_view>

namespace snug {

// Whether the text has a sequence of characters that is all but unknown in intended text and common where
// UTF-8 was taken for something else: an accented lower-case letter before a currency sign, say.
bool looks_like_mojibake(std::u32string_view text);

}  // namespace snug
