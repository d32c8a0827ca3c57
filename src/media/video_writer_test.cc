#include "media/video_writer.h"

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/picture_bytes.h"
#include "media/video_reader.h"
#include "media/video_test.h"

namespace snug {
namespace {

namespace fs = std::filesystem;
using testing::flat_picture;
using testing::moving_picture;
using testing::small_video;

constexpr VideoFormat kFormats[] = {VideoFormat::kMp4, VideoFormat::kWebm, VideoFormat::kWebp};

VideoSettings settings_of(VideoFormat format, int64_t width = 64, int64_t height = 48) {
  return {.format = format, .width = width, .height = height, .quality = std::nullopt, .metadata = {}};
}

// The error that `work` throws; fails the test when it throws none.
template <typename Work>
Error error_of(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::kInternal, "none"};
}

class VideoFile : public ::testing::TestWithParam<VideoFormat> {
 protected:
  VideoFile() {
    std::string pattern = (fs::temp_directory_path() / "snug-video-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = pattern;
  }
  ~VideoFile() override { fs::remove_all(folder_); }
  std::string path() const { return folder_ / ("a" + std::string(file_ending(GetParam()))); }
  bool is_empty() const { return fs::is_empty(folder_); }

  fs::path folder_;
};

INSTANTIATE_TEST_SUITE_P(EveryFormat, VideoFile, ::testing::ValuesIn(kFormats),
                         [](const auto& test) { return std::string(video_format_word(test.param)); });

TEST_P(VideoFile, IsThereWholeAfterFinishAndNotBefore) {
  {
    FileOutput output(path());
    VideoWriter writer(settings_of(GetParam()), output);
    for (int i = 0; i < 9; ++i) writer.add(moving_picture(64, 48, i));
    EXPECT_TRUE(is_empty());
    writer.finish();
  }
  const VideoFacts facts = video_facts(*open_file(path()));
  EXPECT_EQ(facts.frames, 9);
  EXPECT_EQ(facts.format, GetParam());
  // To disk or to memory, the bytes are the same.
  const std::vector<std::byte> bytes = small_video(settings_of(GetParam()), 9);
  EXPECT_EQ(fs::file_size(path()), bytes.size());
}

TEST_P(VideoFile, ARunThatStopsOrFailsLeavesNothing) {
  Cancellation cancellation;
  {
    FileOutput output(path());
    VideoWriter writer(settings_of(GetParam()), output, &cancellation);
    writer.add(moving_picture(64, 48, 0));
    EXPECT_EQ(error_of([&] { writer.add(moving_picture(64, 46, 0)); }).code(), ErrorCode::kInvalidArgument);
    cancellation.request();
    EXPECT_EQ(error_of([&] { writer.add(moving_picture(64, 48, 1)); }).code(), ErrorCode::kCancelled);
    EXPECT_EQ(error_of([&] { writer.finish(); }).code(), ErrorCode::kCancelled);
  }
  EXPECT_TRUE(is_empty());
}

TEST_P(VideoFile, WithoutFramesIsRefused) {
  {
    FileOutput output(path());
    VideoWriter writer(settings_of(GetParam()), output);
    EXPECT_EQ(error_of([&] { writer.finish(); }).code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(is_empty());
}

TEST_P(VideoFile, AFullDiskIsDiskFullWhereverItHappens) {
  // Noise, so that there are many bytes early.
  Picture noise = flat_picture(256, 256, 0, 0, 0);
  unsigned state = 1;
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t limit : {rlim_t{10}, rlim_t{8} << 10, rlim_t{100} << 10}) {
    FileOutput output(path());
    const rlimit small = {limit, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const Error error = error_of([&] {
      VideoWriter writer(settings_of(GetParam(), 256, 256), output);
      for (int i = 0; i < 12; ++i) {
        for (uint8_t& sample : noise.rgb)
          sample = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
        writer.add(noise);
      }
      writer.finish();
    });
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(error.code(), ErrorCode::kDiskFull) << limit << ' ' << error.what();
    EXPECT_EQ(error.file(), path());
  }
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(is_empty());
}

TEST_P(VideoFile, AMissingFolderIsNamedBeforeAnythingIsEncoded) {
  const Error error = error_of([&] { FileOutput output(folder_ / "none" / "a.mp4"); });
  EXPECT_EQ(error.code(), ErrorCode::kIoError);
  EXPECT_EQ(error.fix(), "create it");
  EXPECT_EQ(error_of([&] { FileOutput output("/dev/full"); }).code(), ErrorCode::kIoError);
}

TEST_P(VideoFile, TheSameFramesGiveTheSameBytes) {
  VideoSettings settings = settings_of(GetParam(), 96, 64);
  settings.metadata = {.parameters = "a prompt", .snug_json = "{}", .others = {{"Title", "x"}}};
  const std::vector<std::byte> first = small_video(settings, 30);
  // Several times: what an encoder left uninitialised would be the same in most runs.
  std::vector<std::vector<std::byte>> disturbance;
  for (size_t i = 1; i <= 8; ++i) {
    EXPECT_TRUE(first == small_video(settings, 30)) << "run " << i;
    disturbance.emplace_back(7919 * i, static_cast<std::byte>(i));
  }
  for (const char* version : {"x264", "Lavc", "Lavf5", "libvpx"}) {
    EXPECT_EQ(as_text(first).find(version), std::string_view::npos) << version;
  }
  settings.quality = 30;
  EXPECT_LT(small_video(settings, 30).size(), first.size());
}

TEST(VideoSettings, WhatAFormatCannotBeIsRefusedWithTheNearestThatItCan) {
  const auto refused = [](const VideoSettings& settings) {
    const Error error = error_of([&] { check_video_settings(settings); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error;
  };
  EXPECT_NE(refused(settings_of(VideoFormat::kMp4, 833, 480)).fix().find("832 x 480"), std::string::npos);
  EXPECT_NE(refused(settings_of(VideoFormat::kWebm, 832, 481)).fix().find("832 x 480"), std::string::npos);
  EXPECT_NO_THROW(check_video_settings(settings_of(VideoFormat::kWebp, 833, 481)));
  refused(settings_of(VideoFormat::kMp4, 0, 0));
  refused(settings_of(VideoFormat::kMp4, 8, 64));
  refused(settings_of(VideoFormat::kWebp, 8194, 64));
  refused(settings_of(VideoFormat::kMp4, 8192, 8192));
  for (const double rate : {0.0, 0.5, 120.5, -24.0, std::numeric_limits<double>::quiet_NaN()}) {
    VideoSettings settings = settings_of(VideoFormat::kMp4);
    settings.frames_per_second = rate;
    EXPECT_EQ(refused(settings).fix(), "choose 1 to 120");
  }
  for (const int quality : {0, 101}) {
    VideoSettings settings = settings_of(VideoFormat::kWebm);
    settings.quality = quality;
    refused(settings);
  }
  VideoSettings settings = settings_of(VideoFormat::kMp4);
  settings.metadata.parameters = std::string("a\0b", 3);
  refused(settings);
}

TEST(VideoFormat, NamesWordsAndFirstBytesTellWhichItIs) {
  EXPECT_EQ(video_format_from_name("out/a.MP4"), VideoFormat::kMp4);
  EXPECT_EQ(video_format_from_name("a.b.webm"), VideoFormat::kWebm);
  EXPECT_EQ(video_format_from_name("a.webp"), VideoFormat::kWebp);
  for (const char* bad : {"a", "a.gif", ".mp4", "out/.mp4", "", "a.mp4/"}) {
    EXPECT_NE(error_of([&] { video_format_from_name(bad); }).fix().find(".webm"), std::string::npos) << bad;
  }
  EXPECT_EQ(error_of([&] { video_format_from_word("avi"); }).code(), ErrorCode::kInvalidArgument);
  for (const VideoFormat format : kFormats) {
    EXPECT_EQ(video_format_from_word(video_format_word(format)), format);
    const std::vector<std::byte> bytes = small_video(settings_of(format), 1);
    EXPECT_EQ(video_format_from_bytes(bytes), format);
    EXPECT_EQ(video_format_from_bytes(std::span(bytes).first(3)), std::nullopt);
  }
  EXPECT_EQ(video_format_from_bytes(as_bytes(std::string_view("\0\0\0\x1c"
                                                              "ftypavif....",
                                                              16))),
            std::nullopt);
}

}  // namespace
}  // namespace snug
