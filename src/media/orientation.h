// Turns a decoded picture as its EXIF orientation says. Called by decode_picture.
#pragma once

#include "media/picture.h"

namespace snug {

// `orientation` is the EXIF tag 0x0112: 1 upright, 2 mirrored left-right, 3 turned by 180 degrees, 4 mirrored
// top-bottom, 5 transposed, 6 to be turned 90 degrees clockwise, 7 transposed along the other diagonal, 8 to
// be turned 90 degrees counter-clockwise. Any other value leaves the picture as it is.
Picture orient(Picture picture, int orientation);

}  // namespace snug
