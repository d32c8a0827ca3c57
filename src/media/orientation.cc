#include "media/orientation.h"

#include <cstddef>

namespace snug {
namespace {

// Where the pixel at (x, y) of the upright picture lies in the stored one.
struct Source {
  bool swapped;    // the upright x runs along the stored y
  bool reverse_x;  // the stored x runs backwards
  bool reverse_y;
};

Source source_of(int orientation) {
  switch (orientation) {
    case 2: return {false, true, false};
    case 3: return {false, true, true};
    case 4: return {false, false, true};
    case 5: return {true, false, false};
    case 6: return {true, false, true};
    case 7: return {true, true, true};
    default: return {true, true, false};  // 8
  }
}

std::vector<uint8_t> turn(const std::vector<uint8_t>& stored, int64_t stored_width, int64_t stored_height,
                          int64_t samples, Source source) {
  std::vector<uint8_t> upright(stored.size());
  const int64_t width = source.swapped ? stored_height : stored_width;
  const int64_t height = source.swapped ? stored_width : stored_height;
  size_t to = 0;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const int64_t along_x = source.swapped ? y : x;
      const int64_t along_y = source.swapped ? x : y;
      const int64_t from_x = source.reverse_x ? stored_width - 1 - along_x : along_x;
      const int64_t from_y = source.reverse_y ? stored_height - 1 - along_y : along_y;
      const auto from = static_cast<size_t>((from_y * stored_width + from_x) * samples);
      for (size_t sample = 0; sample < static_cast<size_t>(samples); ++sample) {
        upright[to++] = stored[from + sample];
      }
    }
  }
  return upright;
}

}  // namespace

Picture orient(Picture picture, int orientation) {
  if (orientation < 2 || orientation > 8) return picture;
  const Source source = source_of(orientation);
  Picture upright;
  upright.width = source.swapped ? picture.height : picture.width;
  upright.height = source.swapped ? picture.width : picture.height;
  upright.rgb = turn(picture.rgb, picture.width, picture.height, 3, source);
  if (!picture.alpha.empty()) upright.alpha = turn(picture.alpha, picture.width, picture.height, 1, source);
  return upright;
}

}  // namespace snug
