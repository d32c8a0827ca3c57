// WebP through libwebp and, for writing metadata, libwebpmux. Called by decode_picture, encode_picture and
// read_metadata, which add the file's name to errors. All take the whole file in memory.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "media/decode_picture.h"
#include "media/metadata.h"
#include "media/picture.h"

namespace snug {

// The largest edge that the format can state.
inline constexpr int64_t kWebpMaxEdge = 16383;
// The quality that means lossless.
inline constexpr int kWebpLossless = 100;

// Lossy and lossless, with alpha; animations are unsupported_image. Throws too_large, truncated, bad_image,
// unsupported_image, out_of_memory.
Picture decode_webp(std::span<const std::byte> bytes, const PictureLimits& limits);

// How long libwebp searches for smaller bytes: its "method" for lossy pictures; its lossless levels have
// other numbers, two higher.
inline constexpr int kWebpEffort = 4;

// `quality` 0 to 99 lossy, 100 lossless (alpha is lossless in both). The same input gives the same bytes.
// Throws out_of_memory.
std::vector<std::byte> encode_webp(const Picture& picture, const Metadata& metadata, int quality,
                                   int effort = kWebpEffort);

// The contents of the EXIF chunk that carries `metadata`.
std::vector<std::byte> webp_exif(const Metadata& metadata);

// Throws truncated, too_large.
Metadata read_webp_metadata(std::span<const std::byte> bytes, uint64_t limit_bytes);

// The contents of the EXIF chunk, within `bytes`; empty when there is none. Never throws.
std::span<const std::byte> find_webp_exif(std::span<const std::byte> bytes);

}  // namespace snug
