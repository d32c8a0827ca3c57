// The still-picture formats that Snug reads and writes, known by file name when writing and by content when
// reading. Called by decode_picture, encode_picture, metadata and by whoever validates an output path.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace snug {

enum class PictureFormat { kPng, kJpeg, kWebp };

// "PNG", "JPEG", "WebP".
std::string_view format_name(PictureFormat format);
// "image/png", ...
std::string_view media_type(PictureFormat format);

// From the extension (.png, .jpg, .jpeg, .webp, in any case). Throws invalid_argument naming these.
PictureFormat format_from_name(std::string_view path);

// From the first bytes. Throws truncated (ends within a signature), unsupported_image (a format known by
// name but not read: GIF, BMP, TIFF, AVIF, HEIC, JPEG XL), bad_image (anything else).
PictureFormat format_from_bytes(std::span<const std::byte> bytes);

}  // namespace snug
