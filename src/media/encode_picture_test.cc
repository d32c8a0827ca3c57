#include "media/encode_picture.h"

#include <cmath>
#include <cstdlib>

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/decode_picture.h"
#include "media/picture_bytes.h"

namespace snug {
namespace {

// Smooth with some texture, as photographs are; with alpha when asked.
Picture landscape(int64_t width, int64_t height, bool with_alpha) {
  Picture picture{.width = width, .height = height, .rgb = {}, .alpha = {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      picture.rgb.push_back(static_cast<uint8_t>(255 * x / width));
      picture.rgb.push_back(static_cast<uint8_t>(255 * y / height));
      picture.rgb.push_back(
          static_cast<uint8_t>(128 + 100 * std::sin(0.05 * static_cast<double>(x + 2 * y))));
      if (with_alpha) picture.alpha.push_back(static_cast<uint8_t>((x + y) % 256));
    }
  }
  return picture;
}

Picture round_trip(const Picture& picture, PictureFormat format, std::optional<int> quality = std::nullopt) {
  const std::vector<std::byte> bytes = encode_picture(picture, format, {}, quality);
  return decode_picture(*view_memory("round trip", bytes));
}

double mean_difference(const Picture& a, const Picture& b) {
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(int{a.rgb[i]} - int{b.rgb[i]});
  return sum / static_cast<double>(a.rgb.size());
}

TEST(EncodePicture, PngAndLosslessWebpKeepEverySampleAtOddSizesWithAndWithoutAlpha) {
  for (const bool with_alpha : {false, true}) {
    for (const int64_t width : {1, 7, 64}) {
      const Picture picture = landscape(width, 33, with_alpha);
      const Picture png = round_trip(picture, PictureFormat::kPng);
      EXPECT_EQ(png.rgb, picture.rgb);
      EXPECT_EQ(png.alpha, picture.alpha);
      const Picture webp = round_trip(picture, PictureFormat::kWebp, 100);
      EXPECT_EQ(webp.rgb, picture.rgb);
      EXPECT_EQ(webp.alpha, picture.alpha);
    }
  }
}

TEST(EncodePicture, LossyFormatsStayCloseAndQualityMatters) {
  const Picture picture = landscape(101, 67, false);
  for (const PictureFormat format : {PictureFormat::kJpeg, PictureFormat::kWebp}) {
    const Picture decoded = round_trip(picture, format);
    EXPECT_EQ(decoded.width, 101);
    EXPECT_EQ(decoded.height, 67);
    EXPECT_LT(mean_difference(decoded, picture), 3.0) << format_name(format);
    EXPECT_LT(encode_picture(picture, format, {}, 20).size(), encode_picture(picture, format, {}, 95).size());
  }
}

TEST(EncodePicture, JpegDropsAlphaAndLossyWebpKeepsItExactly) {
  const Picture picture = landscape(40, 40, true);
  EXPECT_TRUE(round_trip(picture, PictureFormat::kJpeg).alpha.empty());
  EXPECT_EQ(round_trip(picture, PictureFormat::kWebp).alpha, picture.alpha);
}

TEST(EncodePicture, TheSameInputGivesTheSameBytes) {
  const Picture picture = landscape(50, 50, false);
  const Metadata metadata{.parameters = "a prompt", .snug_json = "{}", .others = {{"Title", "x"}}};
  for (const PictureFormat format : {PictureFormat::kPng, PictureFormat::kJpeg, PictureFormat::kWebp}) {
    EXPECT_EQ(encode_picture(picture, format, metadata), encode_picture(picture, format, metadata));
  }
}

TEST(EncodePicture, WhatAFormatCannotStateIsRefusedWithAReason) {
  const Picture wide = landscape(16384, 1, false);
  const Picture small = landscape(2, 2, false);
  const auto refused = [](auto&& encode) {
    try {
      encode();
    } catch (const Error& error) {
      return error.code() == ErrorCode::kInvalidArgument;
    }
    return false;
  };
  EXPECT_TRUE(refused([&] { encode_picture(wide, PictureFormat::kWebp); }));
  EXPECT_TRUE(refused([&] { encode_picture(small, PictureFormat::kJpeg, {}, 0); }));
  EXPECT_TRUE(refused([&] { encode_picture(small, PictureFormat::kJpeg, {}, 101); }));
  EXPECT_TRUE(refused([&] {
    encode_picture(small, PictureFormat::kPng,
                   {.parameters = std::string("a\0b", 3), .snug_json = {}, .others = {}});
  }));
  EXPECT_TRUE(refused([&] {
    encode_picture(small, PictureFormat::kJpeg, {.parameters = "\xff", .snug_json = {}, .others = {}});
  }));
  EXPECT_TRUE(refused([&] {
    encode_picture(small, PictureFormat::kPng,
                   {.parameters = {}, .snug_json = {}, .others = {{std::string(80, 'k'), "x"}}});
  }));
}

TEST(PictureFormat, TheExtensionChoosesInAnyCaseAndTheErrorNamesThoseThatWork) {
  EXPECT_EQ(format_from_name("out/a.PNG"), PictureFormat::kPng);
  EXPECT_EQ(format_from_name("a.b.jpeg"), PictureFormat::kJpeg);
  EXPECT_EQ(format_from_name("a.jpg"), PictureFormat::kJpeg);
  EXPECT_EQ(format_from_name("a.webp"), PictureFormat::kWebp);
  for (const char* bad : {"a", "a.gif", ".png", "out/.png", "", "a.png/"}) {
    try {
      format_from_name(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(".webp"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace snug
