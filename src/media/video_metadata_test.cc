#include "media/video_metadata.h"

#include <string>

#include <gtest/gtest.h>

#include "base/error.h"
#include "media/metadata.h"
#include "media/picture_bytes.h"
#include "media/unicode.h"
#include "media/video_test.h"

namespace snug {
namespace {

using testing::small_video;

constexpr VideoFormat kFormats[] = {VideoFormat::kMp4, VideoFormat::kWebm, VideoFormat::kWebp};

std::vector<std::byte> video_with(VideoFormat format, const Metadata& metadata) {
  return small_video(
      {.format = format, .width = 16, .height = 16, .quality = std::nullopt, .metadata = metadata}, 2);
}

Metadata read(std::span<const std::byte> bytes) { return read_metadata(*view_memory("video", bytes)); }

ErrorCode code_of_reading(std::string_view bytes) {
  try {
    read(as_bytes(bytes));
  } catch (const Error& error) {
    EXPECT_EQ(error.file(), "video");
    return error.code();
  }
  return ErrorCode::kInternal;
}

std::string repeat(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

std::string be32(size_t value) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(value >> shift & 0xff));
  return bytes;
}
std::string box(const std::string& type, const std::string& body) {
  return be32(8 + body.size()) + type + body;
}
const std::string kFtyp = box("ftyp", "isom" + be32(0x200) + "isom" + "iso2avc1mp41");

// A length of 8 bytes: 0x01 and seven more.
std::string element(const std::string& id, const std::string& body) {
  return id + std::string("\x01\0\0\0", 4) + be32(body.size()) + body;
}
const std::string kEbml = element("\x1a\x45\xdf\xa3", element("\x42\x82", "webm"));

TEST(VideoMetadata, EveryFormatGivesBackWhatWasWritten) {
  const std::vector<Metadata> cases = {
      {},
      {.parameters = "a red sailboat\nNegative prompt: fog\nSteps: 20, Seed: 1",
       .snug_json = {},
       .others = {}},
      {.parameters = {}, .snug_json = R"({"seed":1,"prompt":"ü 海 🚤"})", .others = {}},
      {.parameters = "grüße 海 🚤 \u007f \x01 <&>\"",
       .snug_json = "{\"a\":[1,2]}",
       .others = {{"Title", "one"}, {"workflow", "zwei ö"}, {"title", "two"}, {"encoder", "three"}}},
      {.parameters = repeat("lang 海 ", 30000), .snug_json = repeat("{\"k\": 1}", 20000), .others = {}},
  };
  for (const VideoFormat format : kFormats) {
    for (size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE(std::string(format_name(format)) + " case " + std::to_string(i));
      const Metadata actual = read(video_with(format, cases[i]));
      EXPECT_EQ(actual.parameters, cases[i].parameters);
      EXPECT_EQ(actual.snug_json, cases[i].snug_json);
      EXPECT_EQ(actual.others, cases[i].others);
    }
  }
}

TEST(VideoMetadata, EveryTruncationIsAnErrorOrTheWholeText) {
  const Metadata metadata{.parameters = "a prompt", .snug_json = "{}", .others = {}};
  for (const VideoFormat format : kFormats) {
    const std::vector<std::byte> bytes = video_with(format, metadata);
    for (size_t length = 0; length < bytes.size(); ++length) {
      try {
        const Metadata cut = read(std::span(bytes).first(length));
        EXPECT_TRUE(cut.parameters.empty() || cut.parameters == metadata.parameters);
      } catch (const Error& error) {
        EXPECT_NE(error.code(), ErrorCode::kInternal);
      }
    }
  }
}

TEST(VideoMetadata, EveryWrongByteIsSurvived) {
  for (const VideoFormat format : kFormats) {
    const std::vector<std::byte> whole =
        video_with(format, {.parameters = "a prompt", .snug_json = "{}", .others = {{"Title", "x"}}});
    for (size_t at = 0; at < whole.size(); ++at) {
      for (const int value : {0x00, 0x7f, 0xff}) {
        std::vector<std::byte> wrong = whole;
        wrong[at] = static_cast<std::byte>(value);
        try {
          const Metadata metadata = read(wrong);
          EXPECT_TRUE(is_utf8(metadata.parameters) && is_utf8(metadata.snug_json));
        } catch (const Error& error) {
          EXPECT_NE(error.code(), ErrorCode::kInternal);
        }
      }
    }
  }
}

TEST(Mp4Metadata, ITunesTextsOfOtherProgramsAreRead) {
  const auto item = [](const std::string& letters, const std::string& text) {
    return box(letters, box("data", be32(1) + be32(0) + text));
  };
  const std::string meta = box(
      "meta",
      be32(0) + box("hdlr", std::string(25, '\0')) +
          box("ilst", item("\251cmt", "a comment") + item("\251nam", "a title") + item("desc", "caf\xe9") +
                          box("trkn", box("data", be32(0) + be32(0) + "1")) + item("none", "unknown")));
  const Metadata metadata = read(as_bytes(kFtyp + box("mdat", "x") + box("moov", box("udta", meta))));
  EXPECT_EQ(metadata.others,
            (std::map<std::string, std::string>{
                {"comment", "a comment"}, {"title", "a title"}, {"description", "caf\ufffd"}}));
}

TEST(Mp4Metadata, LengthsThatLieAreErrors) {
  EXPECT_EQ(code_of_reading(kFtyp), ErrorCode::kTruncated);
  EXPECT_EQ(code_of_reading(kFtyp + be32(1000) + "moov"), ErrorCode::kTruncated);
  EXPECT_EQ(code_of_reading(kFtyp + be32(4) + "moov"), ErrorCode::kBadImage);
  EXPECT_EQ(code_of_reading(kFtyp + be32(1) + "mdat" + be32(0xffffffff) + be32(0xffffffff)),
            ErrorCode::kTruncated);
  EXPECT_EQ(code_of_reading(kFtyp + be32(1) + "mdat" + be32(0) + be32(3)), ErrorCode::kBadImage);
  EXPECT_EQ(code_of_reading(kFtyp + repeat(box("free", ""), 20000)), ErrorCode::kBadImage);
  const std::string large = box("meta", std::string(17 << 20, 'x'));
  EXPECT_EQ(code_of_reading(kFtyp + box("moov", box("udta", large))), ErrorCode::kTooLarge);
}

TEST(WebmMetadata, TagsOfTracksAreNotTheFilesAndUnknownLengthsEndTheSearch) {
  const auto tag = [](const std::string& targets, const std::string& key, const std::string& text) {
    return element("\x73\x73", element("\x63\xc0", targets) +
                                   element("\x67\xc8", element("\x45\xa3", key) + element("\x44\x87", text)));
  };
  const std::string tags =
      element("\x12\x54\xc3\x67", tag("", "ARTIST", "me") + tag("", "PARAMETERS", "a prompt") +
                                      tag(element("\x63\xc5", "\x01"), "DURATION", "1"));
  const Metadata metadata = read(as_bytes(kEbml + element("\x18\x53\x80\x67", tags)));
  EXPECT_EQ(metadata.parameters, "a prompt");
  EXPECT_EQ(metadata.others, (std::map<std::string, std::string>{{"ARTIST", "me"}}));

  const std::string cluster("\x1f\x43\xb6\x75\xff", 5);
  EXPECT_EQ(read(as_bytes(kEbml + "\x18\x53\x80\x67\xff" + tags + cluster + "anything")).parameters,
            "a prompt");
}

TEST(WebmMetadata, LengthsThatLieAreErrors) {
  EXPECT_EQ(code_of_reading(kEbml), ErrorCode::kTruncated);
  EXPECT_EQ(code_of_reading(kEbml + "\x18\x53\x80\x67\xbf" + "short"), ErrorCode::kTruncated);
  EXPECT_EQ(code_of_reading(kEbml + element("\x18\x53\x80\x67", std::string(20, '\0'))),
            ErrorCode::kBadImage);
  EXPECT_EQ(code_of_reading(kEbml + element("\x18\x53\x80\x68", "x")), ErrorCode::kBadImage);
  const std::string large = element("\x12\x54\xc3\x67", std::string(17 << 20, '\xec'));
  EXPECT_EQ(code_of_reading(kEbml + element("\x18\x53\x80\x67", large)), ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace snug
