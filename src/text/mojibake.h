// Text that was UTF-8, was taken for another encoding and looks like "schÃ¶n": undoing it, by
// the rules of ftfy 6.3 (Robyn Speer, https://ftfy.readthedocs.io, Apache-2.0), whose order of attempts this
// follows. Called by prompt_cleaning.cc. Pure functions, safe from several threads.
#pragma once

#include <string>
#include <string_view>

namespace snug {

// Undoes what can be undone, once or several times over. Text that does not look wrong (mojibake_signs.h)
// stays as it is.
std::u32string fix_encoding(std::u32string text);

// C1 control characters become what Windows-1252 has at their place.
std::u32string fix_c1_controls(std::u32string_view text);

}  // namespace snug
