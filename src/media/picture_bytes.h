// Small things that every picture format's code needs: the whole file in memory, the check of a declared
// size, alpha, numbers in either byte order. Called by the format files of this folder only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/byte_source.h"
#include "media/decode_picture.h"

namespace snug {

// Throws too_large before allocating, and what the source throws.
std::vector<std::byte> read_picture_bytes(const ByteSource& source, uint64_t max_file_bytes);

// Throws bad_image for an empty size and too_large beyond the limits. Called before pixels are allocated.
void check_declared_size(int64_t width, int64_t height, const PictureLimits& limits);

// From `rgb` holding R G B A to `rgb` and `alpha`, in place: only one picture is held besides the alpha.
void split_alpha(Picture& picture);
// R G B A of a picture that has alpha.
std::vector<uint8_t> interleave_alpha(const Picture& picture);

inline uint32_t read_u16_be(std::span<const std::byte, 2> bytes) {
  return static_cast<uint32_t>(bytes[0]) << 8 | static_cast<uint32_t>(bytes[1]);
}
inline uint32_t read_u32_be(std::span<const std::byte, 4> bytes) {
  return read_u16_be(bytes.first<2>()) << 16 | read_u16_be(bytes.last<2>());
}
inline uint32_t read_u32_le(std::span<const std::byte, 4> bytes) {
  return static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8 |
         static_cast<uint32_t>(bytes[2]) << 16 | static_cast<uint32_t>(bytes[3]) << 24;
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace snug
