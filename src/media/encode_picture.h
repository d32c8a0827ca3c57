// Writes a picture as PNG, JPEG or WebP bytes with its metadata inside. Called by pipeline; putting the bytes
// into a file is atomic_file.h.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "media/metadata.h"
#include "media/picture.h"
#include "media/picture_format.h"

namespace snug {

// `quality` 1 to 100, for JPEG and WebP: default 95 and 90; 100 makes WebP lossless. PNG has none. JPEG drops
// alpha. The same picture, metadata and quality give the same bytes on the same machine: nothing in them
// comes from the clock, and no encoder runs in several threads.
//
// Throws invalid_argument for a quality out of range, a size that the format cannot state (65500 a side for
// JPEG, 16383 for WebP), and metadata that is not UTF-8, contains NUL, or has a key unfit for PNG.
std::vector<std::byte> encode_picture(const Picture& picture, PictureFormat format,
                                      const Metadata& metadata = {},
                                      std::optional<int> quality = std::nullopt);

}  // namespace snug
