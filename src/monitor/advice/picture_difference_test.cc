#include "monitor/advice/picture_difference.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "monitor/statistics/repeatable_random.h"

namespace snug {
namespace {

Picture noise(int64_t width, int64_t height, uint64_t seed) {
  RepeatableRandom random(seed);
  Picture picture{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height * 3)), {}};
  for (uint8_t& sample : picture.rgb) sample = static_cast<uint8_t>(random.below(256));
  return picture;
}

double grey(const Picture& picture, int64_t x, int64_t y) {
  const auto at = static_cast<size_t>(3 * (y * picture.width + x));
  return 0.299 * picture.rgb[at] + 0.587 * picture.rgb[at + 1] + 0.114 * picture.rgb[at + 2];
}

// The definition, place by place, with the two-dimensional window.
double ssim_by_definition(const Picture& a, const Picture& b) {
  constexpr int kWindow = 11;
  double sum = 0, places = 0;
  for (int64_t y = 0; y + kWindow <= a.height; ++y) {
    for (int64_t x = 0; x + kWindow <= a.width; ++x) {
      double weight = 0, ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
      for (int j = 0; j < kWindow; ++j) {
        for (int i = 0; i < kWindow; ++i) {
          const double w = std::exp(-((i - 5) * (i - 5) + (j - 5) * (j - 5)) / (2 * 1.5 * 1.5));
          const double p = grey(a, x + i, y + j), q = grey(b, x + i, y + j);
          weight += w;
          ma += w * p;
          mb += w * q;
          aa += w * p * p;
          bb += w * q * q;
          ab += w * p * q;
        }
      }
      ma /= weight;
      mb /= weight;
      const double va = aa / weight - ma * ma, vb = bb / weight - mb * mb, cov = ab / weight - ma * mb;
      const double c1 = 6.5025, c2 = 58.5225;
      sum += (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
      ++places;
    }
  }
  return sum / places;
}

TEST(PictureDifference, IsNoneBetweenEqualPictures) {
  const Picture picture = noise(32, 20, 1);
  const auto difference = picture_difference(picture, picture);
  ASSERT_TRUE(difference);
  EXPECT_FALSE(difference->psnr_db);
  EXPECT_DOUBLE_EQ(difference->ssim, 1);
}

TEST(PictureDifference, HasThePsnrOfAKnownError) {
  Picture a = noise(16, 16, 2), b = a;
  for (uint8_t& sample : a.rgb) sample = std::min<uint8_t>(sample, 250);
  b.rgb = a.rgb;
  for (uint8_t& sample : b.rgb) sample = static_cast<uint8_t>(sample + 5);
  EXPECT_NEAR(*picture_difference(a, b)->psnr_db, 20 * std::log10(255.0 / 5), 1e-9);
}

TEST(PictureDifference, IsSsimByItsDefinition) {
  const Picture a = noise(24, 17, 3);
  Picture b = a;
  RepeatableRandom random(4);
  for (uint8_t& sample : b.rgb)
    sample = static_cast<uint8_t>(
        std::clamp(static_cast<int>(sample) + static_cast<int>(random.normal() * 40), 0, 255));
  EXPECT_NEAR(picture_difference(a, b)->ssim, ssim_by_definition(a, b), 1e-9);
  EXPECT_LT(picture_difference(a, b)->ssim, 0.99);
  EXPECT_LT(picture_difference(a, noise(24, 17, 9))->ssim, 0.2);
}

TEST(PictureDifference, NeedsPicturesOfOneSize) {
  EXPECT_FALSE(picture_difference(noise(16, 16, 1), noise(16, 17, 1)));
  EXPECT_FALSE(picture_difference(noise(8, 8, 1), noise(8, 8, 1)));
}

}  // namespace
}  // namespace snug
