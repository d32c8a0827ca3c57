// Resamples a picture to another size: each output pixel is the weighted mean of the source pixels under a
// triangle as wide as the reduction (at least two pixels), rows after columns; what Pillow calls BILINEAR.
// Called by pipeline for start pictures and masks whose size is not the request's.
#pragma once

#include "media/picture.h"

namespace snug {

// `width` and `height` are at least 1. Alpha is resampled like the colours, without premultiplication.
Picture resize_picture(const Picture& picture, int64_t width, int64_t height);

}  // namespace snug
