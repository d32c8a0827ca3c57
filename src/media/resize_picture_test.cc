#include "media/resize_picture.h"

#include <gtest/gtest.h>

namespace snug {
namespace {

Picture ramp(int64_t width, int64_t height) {
  Picture picture{width, height, {}, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) picture.rgb.push_back(static_cast<uint8_t>(x * 255 / (width - 1)));
    }
  }
  return picture;
}

TEST(ResizePicture, TheSameSizeGivesTheSamePixels) {
  const Picture picture = ramp(17, 5);
  EXPECT_EQ(resize_picture(picture, 17, 5).rgb, picture.rgb);
}

TEST(ResizePicture, AHalvedRampIsTheMeanOfItsPixelsUnderTheTriangle) {
  Picture picture{4, 1, {0, 0, 0, 80, 80, 80, 160, 160, 160, 240, 240, 240}, {}};
  const Picture half = resize_picture(picture, 2, 1);
  // Weights 1.5/2, 1.5/2, 0.5/2 (and 0.5/2 beyond the edge, left out): (0·.75 + 80·.75 + 160·.25) / 1.75.
  EXPECT_EQ(half.rgb[0], 57);
  EXPECT_EQ(half.rgb[3], 183);
}

TEST(ResizePicture, AFlatPictureStaysFlatAtAnySize) {
  const Picture flat{7, 9, std::vector<uint8_t>(7 * 9 * 3, 201), std::vector<uint8_t>(7 * 9, 13)};
  for (const auto& [width, height] : {std::pair{1, 1}, {64, 3}, {100, 101}}) {
    const Picture out = resize_picture(flat, width, height);
    EXPECT_EQ(out.rgb, std::vector<uint8_t>(static_cast<size_t>(width * height * 3), 201));
    EXPECT_EQ(out.alpha, std::vector<uint8_t>(static_cast<size_t>(width * height), 13));
  }
}

}  // namespace
}  // namespace snug
