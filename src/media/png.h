// PNG through libspng. Called by decode_picture, encode_picture and read_metadata, which add the file's name
// to errors. All take the whole file in memory.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "media/decode_picture.h"
#include "media/metadata.h"
#include "media/picture.h"

namespace snug {

// Throws too_large, truncated, bad_image, out_of_memory.
Picture decode_png(std::span<const std::byte> bytes, const PictureLimits& limits);

// 8 bit RGB, or RGBA when the picture has alpha. The same picture and metadata give the same bytes: no time
// stamp is written.
std::vector<std::byte> encode_png(const Picture& picture, const Metadata& metadata);

// The texts of tEXt, zTXt and iTXt chunks, wherever they stand; what is inflated counts against
// `limit_bytes`. Throws truncated, bad_image, too_large.
Metadata read_png_metadata(std::span<const std::byte> bytes, uint64_t limit_bytes);

// The eXIf chunk's contents, within `bytes`; empty when there is none. Never throws.
std::span<const std::byte> find_png_exif(std::span<const std::byte> bytes);

}  // namespace snug
