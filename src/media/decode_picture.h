// Reads a still picture from untrusted bytes: PNG (all colour types and depths, interlaced too), JPEG
// (baseline, progressive, grey, CMYK), WebP (lossy, lossless; not animated). Called by pipeline for init
// images and masks.
//
// The format is told from the bytes, not from the name. EXIF orientation is applied, so that the picture
// stands as viewers show it (as diffusers' load_image does). Samples of 16 bits keep their upper 8. Colour
// profiles and gamma are not applied. Decoding is strict: what libjpeg would repair with a warning is
// refused, because a half-grey init image would ruin a generation silently.
#pragma once

#include <cstdint>

#include "base/byte_source.h"
#include "base/units.h"
#include "media/picture.h"

namespace snug {

// What a file may declare before anything is allocated for it. The defaults let in every camera's and every
// generator's picture; the largest costs 192 MiB of RGB (256 MiB with alpha).
struct PictureLimits {
  int64_t max_edge = 32768;                // pixels
  int64_t max_pixels = int64_t{64} << 20;  // 8192 x 8192
  uint64_t max_file_bytes = 256 * kMiB;
};

// Throws, naming the source: too_large (beyond `limits`), truncated, bad_image, unsupported_image, io_error,
// out_of_memory. Safe from several threads at once.
Picture decode_picture(const ByteSource& source, const PictureLimits& limits = {});

}  // namespace snug
