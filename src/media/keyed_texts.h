// Several keyed texts as one string, for formats that have a place for only one: key NUL text NUL, repeated,
// after the mark. Called by the JPEG and WebP files of this folder.
#pragma once

#include <string>
#include <string_view>

#include "media/metadata.h"

namespace snug {

// What a JPEG comment segment or an EXIF MakerNote of Snug's starts with.
inline constexpr std::string_view kKeyedTextsMark{"Snug\0", 5};

// The texts of `metadata`, without the mark; with "parameters" only if `with_parameters`. Empty when there
// are none.
std::string pack_texts(const Metadata& metadata, bool with_parameters);

// Adds what `packed` (without the mark) holds to `metadata`; an unfinished last text is dropped.
void unpack_texts(std::string_view packed, Metadata& metadata);

}  // namespace snug
