// The size for which an autoencoder's graph is built.
#pragma once

#include <cstdint>

namespace snug {

// A batch of pictures in pixels, or of latents in theirs.
struct PictureSize {
  int64_t batch = 1;
  int64_t height = 0;
  int64_t width = 0;
};

}  // namespace snug
