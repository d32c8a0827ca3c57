#include "media/decode_picture.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/encode_picture.h"
#include "media/orientation.h"
#include "media/picture_bytes.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

using testing::fixtures_dir;

std::unique_ptr<ByteSource> open_picture(const std::string& file) {
  return open_file(fixtures_dir() + "/img/" + file);
}

int worst_level(std::span<const uint8_t> actual, std::span<const std::byte> expected) {
  if (actual.size() != expected.size()) return 256;
  int worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    worst = std::max(worst, std::abs(int{actual[i]} - static_cast<int>(expected[i])));
  }
  return worst;
}

TEST(DecodePicture, EveryGoodFixtureGivesPillowsPixels) {
  const auto tensors = testing::read_fixture("img/expect.safetensors");
  for (const nlohmann::json& row : testing::read_fixture_json("img/expect.json")) {
    if (row.at("expect") != "ok") continue;
    const std::string file = row.at("file");
    SCOPED_TRACE(file);
    const Picture picture = decode_picture(*open_picture(file));
    EXPECT_EQ(picture.width, row.at("width").get<int64_t>());
    EXPECT_EQ(picture.height, row.at("height").get<int64_t>());
    const int tolerance = row.at("max_difference");
    const int worst = worst_level(picture.rgb, tensors.at(file + ".rgb").bytes());
    std::printf("parity img/%s: worst %d levels (tolerance %d)\n", file.c_str(), worst, tolerance);
    EXPECT_LE(worst, tolerance);
  }
}

TEST(DecodePicture, AlphaIsKeptBesideTheColours) {
  const auto tensors = testing::read_fixture("img/expect.safetensors");
  const Picture picture = decode_picture(*open_picture("rgba.png"));
  const std::vector<uint8_t> rgba = interleave_alpha(picture);
  EXPECT_EQ(worst_level(rgba, tensors.at("rgba.png.raw").bytes()), 0);
  EXPECT_TRUE(decode_picture(*open_picture("rgb.png")).alpha.empty());
}

TEST(DecodePicture, EveryMalformedFixtureGivesAnAcceptedErrorThatNamesTheFile) {
  for (const nlohmann::json& row : testing::read_fixture_json("img/expect.json")) {
    if (row.at("expect") == "ok") continue;
    const std::string file = row.at("file");
    SCOPED_TRACE(file);
    try {
      decode_picture(*open_picture(file));
      ADD_FAILURE() << "was decoded";
    } catch (const Error& error) {
      const auto accepted = row.at("accept").get<std::vector<std::string>>();
      EXPECT_NE(std::ranges::find(accepted, error.word()), accepted.end()) << error.word();
      EXPECT_NE(error.file().find(file), std::string::npos);
      std::printf("%s: %s, expected %s\n", error.what(), std::string(error.word()).c_str(),
                  row.at("expect").get<std::string>().c_str());
    }
  }
}

TEST(DecodePicture, TheStatedLimitIsCheckedInEveryFormat) {
  for (const char* file : {"rgb.png", "photo444.jpg", "lossy.webp"}) {
    SCOPED_TRACE(file);
    for (const PictureLimits& limits :
         {PictureLimits{.max_edge = 55}, PictureLimits{.max_pixels = 56 * 40 - 1},
          PictureLimits{.max_file_bytes = 9}}) {
      try {
        decode_picture(*open_picture(file), limits);
        ADD_FAILURE() << "was decoded";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kTooLarge) << error.what();
      }
    }
    EXPECT_NO_THROW(decode_picture(*open_picture(file), {.max_edge = 56, .max_pixels = 56 * 40}));
  }
}

TEST(DecodePicture, EveryTruncationOfEveryFormatIsAnErrorAndNeverAPicture) {
  for (const char* file : {"rgb.png", "photo420.jpg", "progressive.jpg", "lossy.webp", "lossless.webp"}) {
    const std::string whole = testing::read_fixture_bytes(std::string("img/") + file);
    const Picture expected = decode_picture(*open_picture(file));
    for (size_t length = 0; length < whole.size(); length += 7) {
      try {
        // What is cut off behind the last pixel may be missed.
        EXPECT_EQ(decode_picture(*view_memory("cut", as_bytes(whole).first(length))).rgb, expected.rgb)
            << file << " cut to " << length << " of " << whole.size();
      } catch (const Error& error) {
        const ErrorCode code = error.code();
        EXPECT_TRUE(code == ErrorCode::kTruncated || code == ErrorCode::kBadImage) << error.what();
      }
    }
  }
}

TEST(DecodePicture, FormatsThatAreNotReadAreNamed) {
  const std::string gif = "GIF89a and what follows";
  try {
    decode_picture(*view_memory("a.gif", as_bytes(gif)));
    ADD_FAILURE() << "was decoded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupportedImage);
    EXPECT_NE(std::string(error.what()).find("GIF"), std::string::npos);
  }
}

// The stored picture is 2 wide, 3 high, samples 10 to 15 from the upper left; `upright` lists what is seen.
struct Turn {
  int orientation;
  int64_t width;
  std::vector<uint8_t> upright;
};

TEST(Orient, AllEightOrientationsStandAsTheStandardDrawsThem) {
  const std::vector<Turn> turns = {
      {1, 2, {10, 11, 12, 13, 14, 15}}, {2, 2, {11, 10, 13, 12, 15, 14}}, {3, 2, {15, 14, 13, 12, 11, 10}},
      {4, 2, {14, 15, 12, 13, 10, 11}}, {5, 3, {10, 12, 14, 11, 13, 15}}, {6, 3, {14, 12, 10, 15, 13, 11}},
      {7, 3, {15, 13, 11, 14, 12, 10}}, {8, 3, {11, 13, 15, 10, 12, 14}}, {9, 2, {10, 11, 12, 13, 14, 15}}};
  for (const Turn& turn : turns) {
    Picture stored{.width = 2, .height = 3, .rgb = {}, .alpha = {10, 11, 12, 13, 14, 15}};
    for (const uint8_t sample : stored.alpha) stored.rgb.insert(stored.rgb.end(), 3, sample);
    const Picture upright = orient(stored, turn.orientation);
    EXPECT_EQ(upright.width, turn.width) << turn.orientation;
    EXPECT_EQ(upright.alpha, turn.upright) << turn.orientation;
    for (size_t i = 0; i < 6; ++i) EXPECT_EQ(upright.rgb[3 * i], turn.upright[i]) << turn.orientation;
  }
}

}  // namespace
}  // namespace snug
