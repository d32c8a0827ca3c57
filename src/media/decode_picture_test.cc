#include "media/decode_picture.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <jpeglib.h>

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

// One block of one colour, `samples` wide, as other programs write grey and CMYK; Adobe's marker comes with
// CMYK.
std::string flat_jpeg(J_COLOR_SPACE space, std::vector<uint8_t> samples) {
  jpeg_error_mgr errors = {};
  jpeg_compress_struct info = {};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* encoded = nullptr;
  unsigned long encoded_bytes = 0;  // NOLINT(google-runtime-int): libjpeg's type
  jpeg_mem_dest(&info, &encoded, &encoded_bytes);
  info.image_width = info.image_height = 1;
  info.input_components = static_cast<int>(samples.size());
  info.in_color_space = space;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  jpeg_start_compress(&info, TRUE);
  JSAMPROW row = samples.data();
  jpeg_write_scanlines(&info, &row, 1);
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string bytes(reinterpret_cast<const char*>(encoded), encoded_bytes);
  std::free(encoded);
  return bytes;
}

TEST(DecodePicture, GreyAndInkJpegsBecomeRgb) {
  const std::string grey = flat_jpeg(JCS_GRAYSCALE, {90});
  const Picture from_grey = decode_picture(*view_memory("grey", as_bytes(grey)));
  const std::vector<uint8_t> even = {90, 90, 90};
  EXPECT_LE(worst_level(from_grey.rgb, std::as_bytes(std::span(even))), 1);
  // Adobe stores 255 for no ink: light times light.
  const std::string inks = flat_jpeg(JCS_CMYK, {200, 100, 0, 204});
  const Picture from_inks = decode_picture(*view_memory("inks", as_bytes(inks)));
  const std::vector<uint8_t> lit = {160, 80, 0};
  EXPECT_LE(worst_level(from_inks.rgb, std::as_bytes(std::span(lit))), 2);
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
