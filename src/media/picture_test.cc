#include "media/picture.h"

#include <limits>

#include <gtest/gtest.h>

namespace snug {
namespace {

TEST(Picture, HalvesRoundToEvenAndWhatIsOutsideIsClamped) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  // 255 * 0.5 is 127.5, a half that goes to the even 128; 255 * (0.5 / 255) is just 0.5, which goes to 0.
  const std::vector<float> values = {0.5F,     0.5F / 255.0F, 1.5F / 255.0F, -0.1F, 1.1F,  nan,
                                     infinity, -infinity,     1.0F,          0.0F,  0.25F, 0.75F};
  const Picture picture = tensor_to_picture(HostTensor::from_floats({1, 3, 2, 2}, values), 0);
  EXPECT_EQ(picture.width, 2);
  EXPECT_EQ(picture.rgb, (std::vector<uint8_t>{128, 255, 255, 0, 0, 0, 2, 255, 64, 0, 0, 191}));
}

TEST(Picture, EveryLevelSurvivesTheTensorAndChannelsAreNotMixed) {
  Picture picture{.width = 16, .height = 32, .rgb = {}, .alpha = {}};
  for (int i = 0; i < 16 * 32; ++i) {
    for (const int sample : {i % 256, 255 - i % 256, (7 * i) % 256})
      picture.rgb.push_back(static_cast<uint8_t>(sample));
  }
  const HostTensor tensor = picture_to_tensor(picture);
  EXPECT_EQ(tensor.shape(), (Shape{1, 3, 32, 16}));
  EXPECT_EQ(tensor.floats()[16 * 32 + 3], 252.0F / 255.0F);
  EXPECT_EQ(tensor_to_picture(tensor, 0).rgb, picture.rgb);
}

TEST(Picture, ABatchGivesItsOwnImages) {
  HostTensor images(DType::kF32, {2, 3, 1, 1});
  images.floats()[4] = 1.0F;
  EXPECT_EQ(tensor_to_picture(images, 0).rgb, (std::vector<uint8_t>{0, 0, 0}));
  EXPECT_EQ(tensor_to_picture(images, 1).rgb, (std::vector<uint8_t>{0, 255, 0}));
}

TEST(Picture, MasksComeFromLuminanceOrFromTransparency) {
  const Picture picture{.width = 2,
                        .height = 2,
                        .rgb = {255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255},
                        .alpha = {255, 0, 51, 255}};
  const HostTensor luminance = mask_from_luminance(picture);
  EXPECT_EQ(luminance.shape(), (Shape{1, 1, 2, 2}));
  const std::vector<float> levels = {255.0F / 255.0F, 76.0F / 255.0F, 150.0F / 255.0F, 29.0F / 255.0F};
  EXPECT_TRUE(std::equal(levels.begin(), levels.end(), luminance.floats().begin()));
  const std::vector<float> transparent = {0.0F, 1.0F, 204.0F / 255.0F, 0.0F};
  const HostTensor alpha = mask_from_alpha(picture);
  EXPECT_TRUE(std::equal(transparent.begin(), transparent.end(), alpha.floats().begin()));
}

}  // namespace
}  // namespace snug
