// Frames for the tests of video files.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "media/media_output.h"
#include "media/picture.h"
#include "media/video_writer.h"

namespace snug::testing {

inline Picture flat_picture(int64_t width, int64_t height, uint8_t red, uint8_t green, uint8_t blue) {
  Picture picture{.width = width, .height = height, .rgb = {}, .alpha = {}};
  picture.rgb.resize(static_cast<size_t>(3 * width * height));
  for (size_t i = 0; i < picture.rgb.size(); i += 3) {
    picture.rgb[i] = red;
    picture.rgb[i + 1] = green;
    picture.rgb[i + 2] = blue;
  }
  return picture;
}

// Ramps of two colours and waves of the third, which move with `time`.
inline Picture moving_picture(int64_t width, int64_t height, int64_t time) {
  Picture picture{.width = width, .height = height, .rgb = {}, .alpha = {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double wave = std::sin(0.05 * static_cast<double>(x + 2 * y + 6 * time));
      picture.rgb.push_back(static_cast<uint8_t>(255 * x / width));
      picture.rgb.push_back(static_cast<uint8_t>(255 * y / height));
      picture.rgb.push_back(static_cast<uint8_t>(128 + 100 * wave));
    }
  }
  return picture;
}

// The bytes of a video of moving pictures.
inline std::vector<std::byte> small_video(const VideoSettings& settings, int64_t frames) {
  MemoryOutput output;
  VideoWriter writer(settings, output);
  for (int64_t i = 0; i < frames; ++i) writer.add(moving_picture(settings.width, settings.height, i));
  writer.finish();
  return output.take();
}

}  // namespace snug::testing
