// JPEG through libjpeg-turbo. Called by decode_picture, encode_picture and read_metadata, which add the
// file's name to errors. All take the whole file in memory.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "media/decode_picture.h"
#include "media/metadata.h"
#include "media/picture.h"

namespace snug {

// Grey, YCbCr, RGB and CMYK (Adobe's inverted form included) to RGB, chroma upsampled smoothly. Orientation
// is not applied here. Throws too_large, truncated, bad_image, unsupported_image, out_of_memory.
Picture decode_jpeg(std::span<const std::byte> bytes, const PictureLimits& limits);

// `quality` 1 to 100; chroma is kept at full resolution from 90 on and halved below. Alpha is dropped. The
// same input gives the same bytes. Throws out_of_memory.
std::vector<std::byte> encode_jpeg(const Picture& picture, const Metadata& metadata, int quality);

// Throws truncated, bad_image, too_large.
Metadata read_jpeg_metadata(std::span<const std::byte> bytes, uint64_t limit_bytes);

// The contents of the EXIF segment, within `bytes`; empty when there is none. Never throws.
std::span<const std::byte> find_jpeg_exif(std::span<const std::byte> bytes);

// The segments that carry `metadata`, ready to be written after SOI.
struct JpegSegment {
  int marker;
  std::vector<std::byte> data;  // at most kJpegSegmentBytes
};
inline constexpr size_t kJpegSegmentBytes = 65533;
std::vector<JpegSegment> jpeg_metadata_segments(const Metadata& metadata);

}  // namespace snug
