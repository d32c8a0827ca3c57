// Between the red, green and blue of Picture and the luma and chroma planes of video codecs: ITU-R BT.709,
// limited range (luma 16 to 235, chroma 16 to 240), 4:2:0 with chroma beside the left column and between the
// rows, as H.264 and VP9 have it where a file says nothing else. Called by the video files of this folder.
// Integer arithmetic, so that the same picture gives the same planes on every machine.
#pragma once

#include <cstddef>
#include <cstdint>

#include "media/picture.h"

namespace snug {

// Three planes in memory of others: luma [H, W], chroma [H/2, W/2] (halves rounded up), rows `stride` apart.
struct YuvPlanes {
  uint8_t* planes[3];
  ptrdiff_t strides[3];
};
struct ConstYuvPlanes {
  const uint8_t* planes[3];
  ptrdiff_t strides[3];
};

// Width and height are even. Alpha is dropped.
void picture_to_yuv(const Picture& picture, const YuvPlanes& out);

// How a decoded frame means its numbers. The defaults are what Snug writes.
struct YuvMeaning {
  bool full_range = false;
  bool bt601 = false;  // ITU-R BT.601's matrix instead of BT.709's
};

// Chroma is interpolated. Any size.
Picture yuv_to_picture(const ConstYuvPlanes& in, int64_t width, int64_t height, YuvMeaning meaning);

}  // namespace snug
