// How Wan 2.2's autoencoder takes pixels together: a patch's columns, then its rows, vary slower than
// colours.
#pragma once

#include "graph/op.h"

namespace snug::wan_vae {

inline BlockAttrs pixel_patches(int64_t side) {
  BlockAttrs block;
  block.side = side;
  block.row = 1;
  block.column = side;
  block.channel = side * side;
  return block;
}

}  // namespace snug::wan_vae
