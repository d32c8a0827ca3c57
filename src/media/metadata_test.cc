#include "media/metadata.h"

#include <optional>

#include <gtest/gtest.h>
#include <zlib.h>

#include "base/error.h"
#include "media/decode_picture.h"
#include "media/encode_picture.h"
#include "media/exif.h"
#include "media/jpeg.h"
#include "media/picture_bytes.h"
#include "media/unicode.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

const std::vector<PictureFormat> kFormats = {PictureFormat::kPng, PictureFormat::kJpeg, PictureFormat::kWebp};

Picture small_picture() {
  return {.width = 3, .height = 2, .rgb = std::vector<uint8_t>(18, 77), .alpha = {}};
}

Metadata read(std::span<const std::byte> bytes) { return read_metadata(*view_memory("picture", bytes)); }

ErrorCode code_of_reading(std::span<const std::byte> bytes) {
  try {
    read(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.file(), "picture");
    return error.code();
  }
  return ErrorCode::kInternal;
}

void expect_same(const Metadata& actual, const Metadata& expected) {
  EXPECT_EQ(actual.parameters, expected.parameters);
  EXPECT_EQ(actual.snug_json, expected.snug_json);
  EXPECT_EQ(actual.others, expected.others);
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

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return be32(data.size()) + body + be32(crc);
}

std::string deflated(const std::string& text) {
  uLongf length = compressBound(text.size());
  std::string out(length, '\0');
  compress(reinterpret_cast<Bytef*>(out.data()), &length, reinterpret_cast<const Bytef*>(text.data()),
           text.size());
  out.resize(length);
  return out;
}

// A PNG whose pixels are never looked at.
std::string png_with(const std::string& chunks) { return "\x89PNG\r\n\x1a\n" + chunks + chunk("IEND", ""); }

TEST(Metadata, EveryFormatGivesBackWhatWasWritten) {
  const std::vector<Metadata> cases = {
      {},
      {.parameters = "a red sailboat\nNegative prompt: fog\nSteps: 20, Seed: 1",
       .snug_json = {},
       .others = {}},
      {.parameters = {}, .snug_json = R"({"seed":1,"prompt":"ü 海 🚤"})", .others = {}},
      {.parameters = "grüße 海 🚤 \u007f \x01 <&>\"",
       .snug_json = "{\"a\":[1,2]}",
       .others = {{"Title", "one"}, {"workflow", "zwei ö"}}},
      // Longer than a JPEG segment: the settings still stand in EXIF, then no longer.
      {.parameters = std::string(32000, 'p'), .snug_json = repeat("{\"k\": 1}", 20000), .others = {}},
      {.parameters = repeat("lang 海 ", 30000), .snug_json = "{}", .others = {}},
  };
  for (const PictureFormat format : kFormats) {
    for (size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE(std::string(format_name(format)) + " case " + std::to_string(i));
      expect_same(read(encode_picture(small_picture(), format, cases[i])), cases[i]);
    }
  }
}

TEST(Metadata, PicturesOfTheFixturesAreReadWithoutTheirPixels) {
  for (const char* file :
       {"rgb.png", "two_idat.png", "rotated.jpg", "photo420.jpg", "lossy.webp", "flipped_bit.png"}) {
    EXPECT_NO_THROW(read_metadata(*open_file(testing::fixtures_dir() + "/img/" + file))) << file;
  }
  EXPECT_FALSE(read_metadata(*open_file(testing::fixtures_dir() + "/img/two_idat.png")).empty());
}

TEST(Metadata, PngTextsOfOtherProgramsAreRead) {
  const Metadata metadata =
      read(as_bytes(png_with(chunk("tEXt", std::string("parameters\0caf\xe9", 15)) +              // Latin-1
                             chunk("zTXt", std::string("Comment\0\0", 9) + deflated("packed")) +  //
                             chunk("iTXt", std::string("long\0\1\0de\0\0", 11) + deflated("gr\xc3\xbc\xc3\x9f"
                                                                                          "e")) +  //
                             chunk("tEXt", std::string("utf\0\xe6\xb5\xb7", 7)) +  // UTF-8 in tEXt
                             chunk("tEXt", std::string("Comment\0second", 14)))));
  EXPECT_EQ(metadata.parameters, "café");
  EXPECT_EQ(metadata.others,
            (std::map<std::string, std::string>{{"Comment", "packed"}, {"long", "grüße"}, {"utf", "海"}}));
}

TEST(Metadata, ACompressedTextThatWouldFillMemoryIsRefused) {
  const std::string bomb = deflated(std::string(17 << 20, 'x'));
  ASSERT_LT(bomb.size(), 100'000U);
  EXPECT_EQ(code_of_reading(as_bytes(png_with(chunk("zTXt", std::string("a\0\0", 3) + bomb)))),
            ErrorCode::kTooLarge);
  EXPECT_EQ(code_of_reading(as_bytes(png_with(chunk("iTXt", std::string("a\0\1\0\0\0", 6) + bomb)))),
            ErrorCode::kTooLarge);
  // Many that are within the limit, one by one.
  const std::string part = deflated(std::string(6 << 20, 'x'));
  std::string chunks;
  for (const char key : {'a', 'b', 'c'})
    chunks += chunk("zTXt", std::string(1, key) + std::string(2, '\0') + part);
  EXPECT_EQ(code_of_reading(as_bytes(png_with(chunks))), ErrorCode::kTooLarge);
}

TEST(Metadata, MalformedChunksAreErrors) {
  EXPECT_EQ(code_of_reading(as_bytes(png_with(chunk("tEXt", "no separator")))), ErrorCode::kBadImage);
  EXPECT_EQ(code_of_reading(as_bytes(png_with(chunk("zTXt", std::string("a\0", 2))))), ErrorCode::kBadImage);
  EXPECT_EQ(code_of_reading(as_bytes(png_with(chunk("zTXt", std::string("a\0\0junk", 7))))),
            ErrorCode::kBadImage);
  EXPECT_EQ(code_of_reading(as_bytes(png_with(chunk("iTXt", std::string("a\0\0\0", 4))))),
            ErrorCode::kBadImage);
  std::string flipped = png_with(chunk("tEXt", std::string("parameters\0x", 12)));
  flipped[30] = static_cast<char>(flipped[30] ^ 1);
  EXPECT_EQ(code_of_reading(as_bytes(flipped)), ErrorCode::kBadImage);
}

TEST(Metadata, EveryTruncationIsAnErrorOrTheWholeText) {
  const Metadata metadata{.parameters = "a prompt", .snug_json = "{}", .others = {}};
  for (const PictureFormat format : kFormats) {
    const std::vector<std::byte> bytes = encode_picture(small_picture(), format, metadata);
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

TEST(Metadata, APlainJpegCommentIsKept) {
  std::string jpeg = "\xff\xd8";
  jpeg += std::string("\xff\xfe\0\x07hello", 9) + "\xff\xd9 and no pixels";
  EXPECT_EQ(read(as_bytes(jpeg)).others.at("comment"), "hello");
}

TEST(Exif, UserCommentsOfOtherProgramsAreReadInEveryByteOrder) {
  // A little-endian TIFF whose Exif folder holds a UserComment: what Pillow leaves of an A1111 picture.
  const auto little = [](const std::string& comment) {
    std::string tiff("II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0", 26);
    tiff += std::string("\x01\0\x86\x92\x07\0", 6);
    tiff.push_back(static_cast<char>(comment.size()));
    tiff += std::string("\0\0\0\x2c\0\0\0\0\0\0\0", 11) + comment;
    return tiff;
  };
  const std::string unicode("UNICODE\0", 8);
  EXPECT_EQ(read_exif(as_bytes(little(unicode + std::string("h\0i\0", 4)))).user_comment, "hi");
  EXPECT_EQ(read_exif(as_bytes(little(unicode + std::string("\0h\0i", 4)))).user_comment, "hi");
  EXPECT_EQ(read_exif(as_bytes(little(std::string("ASCII\0\0\0", 8) + "hi"))).user_comment, "hi");
  EXPECT_EQ(read_exif(as_bytes(little(std::string(8, '\0') + "hi"))).user_comment, "");
}

TEST(Exif, TheOrientationCountsInPngAndWebpToo) {
  const std::string tiff("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 26);
  EXPECT_EQ(read_exif(as_bytes(tiff)).orientation, 6);
  const Metadata metadata{.parameters = "x", .snug_json = {}, .others = {}};

  const std::vector<std::byte> upright = encode_picture(small_picture(), PictureFormat::kPng, metadata);
  std::string png(as_text(upright));
  constexpr size_t kBehindHeader = 8 + 25;
  png.insert(kBehindHeader, chunk("eXIf", tiff));
  EXPECT_EQ(decode_picture(*view_memory("png", as_bytes(png))).width, 2);

  const std::vector<std::byte> encoded = encode_picture(small_picture(), PictureFormat::kWebp, metadata);
  std::string webp(as_text(encoded));
  const size_t exif = webp.find("MM");
  ASSERT_NE(exif, std::string::npos);
  webp.replace(exif, tiff.size(), tiff);
  EXPECT_EQ(decode_picture(*view_memory("webp", as_bytes(webp))).width, 2);
}

TEST(Exif, EveryWrongByteIsSurvived) {
  const std::vector<std::byte> whole = write_exif({.user_comment = "text", .maker_note = "Snug note"});
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0x00, 0x7f, 0xff}) {
      std::vector<std::byte> wrong = whole;
      wrong[at] = static_cast<std::byte>(value);
      const Exif exif = read_exif(wrong);
      EXPECT_TRUE(is_utf8(exif.user_comment));
      EXPECT_LE(exif.maker_note.size(), wrong.size());
    }
    read_exif(std::span(whole).first(at));
  }
}

TEST(Unicode, MalformedTextIsReplacedAndUtf16PairsSurvive) {
  EXPECT_EQ(to_valid_utf8("a\xff"
                          "b\xc3"),
            "a\ufffd"
            "b\ufffd");
  for (const char* bad : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe6\xb5"})
    EXPECT_FALSE(is_utf8(bad));
  EXPECT_TRUE(is_utf8("ü海🚤"));
  EXPECT_EQ(utf16_to_utf8(utf8_to_utf16_be("ü海🚤"), true), "ü海🚤");
  const std::string lone("\xd8\x3d\0x", 4);
  EXPECT_EQ(utf16_to_utf8(as_bytes(lone), true), "\ufffdx");
}

}  // namespace
}  // namespace snug
