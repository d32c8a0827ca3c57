#include "media/video_reader.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/encode_picture.h"
#include "media/picture_bytes.h"
#include "media/video_test.h"
#include "media/yuv.h"

namespace snug {
namespace {

using testing::flat_picture;
using testing::moving_picture;
using testing::small_video;

constexpr VideoFormat kFormats[] = {VideoFormat::kMp4, VideoFormat::kWebm, VideoFormat::kWebp};

struct Difference {
  int worst = 0;
  double mean = 0;
};
Difference difference(const Picture& a, const Picture& b) {
  Difference result;
  EXPECT_EQ(a.rgb.size(), b.rgb.size());
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const int levels = std::abs(int{a.rgb[i]} - int{b.rgb[i]});
    result.worst = std::max(result.worst, levels);
    result.mean += levels;
  }
  result.mean /= static_cast<double>(a.rgb.size());
  return result;
}

VideoSettings settings_of(VideoFormat format, int64_t width, int64_t height) {
  return {.format = format, .width = width, .height = height, .quality = std::nullopt, .metadata = {}};
}

std::vector<std::byte> video_of(const VideoSettings& settings, const std::vector<Picture>& frames) {
  MemoryOutput output;
  VideoWriter writer(settings, output);
  for (const Picture& frame : frames) writer.add(frame);
  writer.finish();
  return output.take();
}

ErrorCode code_of_reading(std::span<const std::byte> bytes) {
  try {
    const auto source = view_memory("video", bytes);
    const std::unique_ptr<VideoReader> reader = open_video(*source);
    while (reader->next()) {
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.file(), "video");
    return error.code();
  }
  return ErrorCode::kInternal;
}

class VideoColours : public ::testing::TestWithParam<VideoFormat> {};
INSTANTIATE_TEST_SUITE_P(EveryFormat, VideoColours, ::testing::ValuesIn(kFormats),
                         [](const auto& test) { return std::string(video_format_word(test.param)); });

TEST_P(VideoColours, FlatOnesComeBackWithinAFewLevels) {
  std::vector<Picture> frames;
  for (const int red : {0, 128, 255}) {
    for (const int green : {0, 128, 255}) {
      for (const int blue : {0, 128, 255}) {
        frames.push_back(flat_picture(64, 48, static_cast<uint8_t>(red), static_cast<uint8_t>(green),
                                      static_cast<uint8_t>(blue)));
      }
    }
  }
  const std::vector<std::byte> bytes = video_of(settings_of(GetParam(), 64, 48), frames);
  const auto source = view_memory("video", bytes);
  const std::unique_ptr<VideoReader> reader = open_video(*source);
  int worst = 0;
  for (const Picture& frame : frames) {
    const std::optional<Picture> decoded = reader->next();
    ASSERT_TRUE(decoded);
    worst = std::max(worst, difference(*decoded, frame).worst);
  }
  EXPECT_FALSE(reader->next());
  std::printf("video parity %s, flat colours: %d levels at worst\n",
              std::string(video_format_word(GetParam())).c_str(), worst);
  EXPECT_LE(worst, 6);
}

TEST_P(VideoColours, GradientsComeBackInOrderAndWithinAFewLevels) {
  std::vector<Picture> frames;
  for (int i = 0; i < 20; ++i) frames.push_back(moving_picture(160, 96, i));
  VideoSettings settings = settings_of(GetParam(), 160, 96);
  settings.quality = 95;
  const std::vector<std::byte> bytes = video_of(settings, frames);
  const auto source = view_memory("video", bytes);
  const std::unique_ptr<VideoReader> reader = open_video(*source);
  Difference worst;
  for (const Picture& frame : frames) {
    const std::optional<Picture> decoded = reader->next();
    ASSERT_TRUE(decoded);
    const Difference here = difference(*decoded, frame);
    worst.worst = std::max(worst.worst, here.worst);
    worst.mean = std::max(worst.mean, here.mean);
  }
  std::printf("video parity %s, gradients: %d levels at worst, %.2f in the mean of the worst frame\n",
              std::string(video_format_word(GetParam())).c_str(), worst.worst, worst.mean);
  EXPECT_LE(worst.mean, 2.0);
  EXPECT_LE(worst.worst, 24);
}

TEST_P(VideoColours, FactsSayWhatWasWritten) {
  for (const double rate : {1.0, 16.0, 24.0, 24000.0 / 1001, 29.97, 12.5, 120.0}) {
    VideoSettings settings = settings_of(GetParam(), 48, 32);
    settings.frames_per_second = rate;
    const std::vector<std::byte> bytes = small_video(settings, 25);
    const VideoFacts facts = video_facts(*view_memory("video", bytes));
    EXPECT_EQ(facts.format, GetParam());
    EXPECT_EQ(facts.width, 48);
    EXPECT_EQ(facts.height, 32);
    EXPECT_EQ(facts.frames, 25);
    EXPECT_NEAR(facts.frames_per_second, rate, GetParam() == VideoFormat::kWebp ? 0.02 : 0.001);
  }
}

TEST_P(VideoColours, AFrameIsFoundByItsNumber) {
  std::vector<Picture> frames;
  for (int i = 0; i < 7; ++i) frames.push_back(flat_picture(32, 32, static_cast<uint8_t>(36 * i), 90, 90));
  const std::vector<std::byte> bytes = video_of(settings_of(GetParam(), 32, 32), frames);
  const auto source = view_memory("video", bytes);
  for (const int index : {0, 3, 6}) {
    EXPECT_LE(difference(read_video_frame(*source, index), frames[static_cast<size_t>(index)]).worst, 6);
  }
  for (const int index : {-1, 7}) {
    try {
      read_video_frame(*source, index);
      ADD_FAILURE() << index;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    }
  }
}

TEST_P(VideoColours, ALongerVideoOfOneFrameAndOneSecondKeepsItsOrder) {
  EXPECT_EQ(video_facts(*view_memory("video", small_video(settings_of(GetParam(), 16, 16), 1))).frames, 1);
  EXPECT_EQ(video_facts(*view_memory("video", small_video(settings_of(GetParam(), 32, 16), 130))).frames,
            130);
}

TEST_P(VideoColours, CutAndChangedBytesAreErrorsOrPictures) {
  const std::vector<std::byte> whole = small_video(settings_of(GetParam(), 48, 32), 4);
  for (size_t length = 0; length < whole.size(); length += 1 + whole.size() / 60) {
    const ErrorCode code = code_of_reading(std::span(whole).first(length));
    EXPECT_TRUE(code == ErrorCode::kTruncated || code == ErrorCode::kBadImage ||
                code == ErrorCode::kInternal || code == ErrorCode::kUnsupportedImage)
        << length;
  }
  for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 120) {
    std::vector<std::byte> wrong = whole;
    wrong[at] ^= std::byte{0xff};
    code_of_reading(wrong);
  }
}

TEST(VideoReader, WhatIsNoVideoOrTooLargeIsNamed) {
  EXPECT_EQ(code_of_reading({}), ErrorCode::kTruncated);
  EXPECT_EQ(code_of_reading(as_bytes(std::string(100, 'x'))), ErrorCode::kBadImage);
  EXPECT_EQ(code_of_reading(encode_picture(flat_picture(40, 40, 1, 2, 3), PictureFormat::kWebp)),
            ErrorCode::kBadImage);
  const std::vector<std::byte> bytes = small_video(settings_of(VideoFormat::kMp4, 64, 64), 3);
  const auto source = view_memory("video", bytes);
  for (const VideoLimits& limits :
       {VideoLimits{.frame = {.max_edge = 32}}, VideoLimits{.frame = {.max_pixels = 64 * 63}},
        VideoLimits{.max_file_bytes = 100}, VideoLimits{.max_frames = 2}}) {
    try {
      open_video(*source, limits);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kTooLarge);
    }
  }
}

TEST(Yuv, LumaAndChromaAreThoseOfTheStandard) {
  const auto planes_of = [](const Picture& picture) {
    std::vector<uint8_t> luma(4), cb(1), cr(1);
    picture_to_yuv(picture, {{luma.data(), cb.data(), cr.data()}, {2, 1, 1}});
    return std::vector<int>{luma[0], luma[3], cb[0], cr[0]};
  };
  // ITU-R BT.709-6, 3.5: black, white, and the three primaries in 8 bits.
  EXPECT_EQ(planes_of(flat_picture(2, 2, 0, 0, 0)), (std::vector<int>{16, 16, 128, 128}));
  EXPECT_EQ(planes_of(flat_picture(2, 2, 255, 255, 255)), (std::vector<int>{235, 235, 128, 128}));
  EXPECT_EQ(planes_of(flat_picture(2, 2, 255, 0, 0)), (std::vector<int>{63, 63, 102, 240}));
  EXPECT_EQ(planes_of(flat_picture(2, 2, 0, 255, 0)), (std::vector<int>{173, 173, 42, 26}));
  EXPECT_EQ(planes_of(flat_picture(2, 2, 0, 0, 255)), (std::vector<int>{32, 32, 240, 118}));
}

TEST(Yuv, ThereAndBackKeepsSmoothPicturesWithinThreeLevels) {
  const Picture picture = moving_picture(160, 96, 3);
  std::vector<uint8_t> luma(160 * 96), cb(80 * 48), cr(80 * 48);
  picture_to_yuv(picture, {{luma.data(), cb.data(), cr.data()}, {160, 80, 80}});
  const Picture back = yuv_to_picture({{luma.data(), cb.data(), cr.data()}, {160, 80, 80}}, 160, 96, {});
  // At the edges there is nothing to interpolate with.
  int worst = 0;
  for (int64_t y = 2; y < 94; ++y) {
    for (int64_t x = 2; x < 158; ++x) {
      for (int64_t c = 0; c < 3; ++c) {
        const auto i = static_cast<size_t>(3 * (160 * y + x) + c);
        worst = std::max(worst, std::abs(int{picture.rgb[i]} - int{back.rgb[i]}));
      }
    }
  }
  EXPECT_LE(worst, 3);
}

}  // namespace
}  // namespace snug
