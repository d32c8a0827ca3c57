// What video_encoder_bytes says is what writing adds to a process. Each case runs in a process of its own, as
// the libraries that another has loaded would not count again.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/process_memory.h"
#include "base/units.h"
#include "media/video_test.h"
#include "media/video_writer.h"

namespace snug {
namespace {

constexpr const char* kCaseVariable = "SNUG_VIDEO_MEMORY_CASE";
constexpr const char* kAnswer = "video memory grew by ";

// The other process: writes the video that the variable names and prints the bytes that this added at its
// peak.
TEST(VideoMemoryProcess, DISABLED_WritesOneVideo) {
  const char* text = std::getenv(kCaseVariable);
  ASSERT_NE(text, nullptr);
  std::istringstream words(text);
  std::string format;
  VideoSettings settings;
  int quality = 0;
  int frames = 0;
  ASSERT_TRUE(words >> format >> settings.width >> settings.height >> quality >> frames);
  settings.format = video_format_from_word(format);
  settings.quality = quality;
  const Picture first = testing::moving_picture(settings.width, settings.height, 0);
  const Picture second = testing::moving_picture(settings.width, settings.height, 1);
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("snug-video-memory-{}", ::getpid())).string();
  release_freed_memory();
  if (!reset_peak_memory()) return;  // the system does not let a process do that: no answer
  const uint64_t before = process_memory().resident_bytes;
  {
    FileOutput output(path);
    VideoWriter writer(settings, output);
    for (int i = 0; i < frames; ++i) writer.add(i % 2 == 0 ? first : second);
    writer.finish();
  }
  std::printf("%s%llu\n", kAnswer, static_cast<unsigned long long>(process_memory().peak_bytes - before));
  std::filesystem::remove(path);
}

// Bytes that writing `frames` frames adds to a fresh process; 0 where it cannot be measured.
uint64_t growth(const VideoSettings& settings, int frames) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = fmt::format(
      "{}='{} {} {} {} {}' '{}' --gtest_also_run_disabled_tests --gtest_filter=VideoMemoryProcess.*",
      kCaseVariable, video_format_word(settings.format), settings.width, settings.height,
      settings.quality.value_or(kVideoQuality), frames, self);
  FILE* output = ::popen(command.c_str(), "r");
  if (output == nullptr) return 0;
  uint64_t grown = 0;
  std::array<char, 256> line = {};
  while (std::fgets(line.data(), line.size(), output) != nullptr) {
    const std::string text = line.data();
    if (text.starts_with(kAnswer)) grown = std::stoull(text.substr(std::string(kAnswer).size()));
  }
  EXPECT_EQ(::pclose(output), 0);
  return grown;
}

struct Case {
  VideoFormat format;
  int64_t width;
  int64_t height;
  int quality;
};

class VideoMemory : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(
    Sizes, VideoMemory,
    ::testing::Values(Case{VideoFormat::kMp4, 64, 64, 80}, Case{VideoFormat::kMp4, 832, 480, 80},
                      Case{VideoFormat::kMp4, 1280, 704, 80}, Case{VideoFormat::kWebm, 64, 64, 80},
                      Case{VideoFormat::kWebm, 832, 480, 80}, Case{VideoFormat::kWebm, 1280, 704, 80},
                      Case{VideoFormat::kWebp, 832, 480, 80}, Case{VideoFormat::kWebp, 256, 256, 100}));

TEST_P(VideoMemory, IsAtMostWhatWasSaidAndNotMuchLess) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers hold memory of their own";
#endif
  const Case& c = GetParam();
  const VideoSettings settings = {
      .format = c.format, .width = c.width, .height = c.height, .quality = c.quality, .metadata = {}};
  const uint64_t grown = growth(settings, 12);
  if (grown == 0) GTEST_SKIP() << "this system does not let a process reset its high-water mark";
  const uint64_t said = video_encoder_bytes(c.format, c.width, c.height, c.quality);
  std::printf("video memory %s %dx%d: %.1f MiB, said %.1f MiB\n",
              std::string(video_format_word(c.format)).c_str(), static_cast<int>(c.width),
              static_cast<int>(c.height), static_cast<double>(grown) / kMiB,
              static_cast<double>(said) / kMiB);
  EXPECT_LE(grown, said);
  EXPECT_LE(said, 2 * grown + 4 * kMiB);
}

TEST(VideoMemoryOfManyFrames, IsThatOfFew) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers hold memory of their own";
#endif
  for (const VideoFormat format : {VideoFormat::kMp4, VideoFormat::kWebm, VideoFormat::kWebp}) {
    const VideoSettings settings = {
        .format = format, .width = 128, .height = 128, .quality = 80, .metadata = {}};
    const uint64_t few = growth(settings, 30);
    const uint64_t many = growth(settings, 600);
    EXPECT_LE(many, few + 3 * kMiB) << video_format_word(format) << few;
  }
}

}  // namespace
}  // namespace snug
