#include "weights/gguf.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tensor/convert.h"
#include "weights/gguf_file.h"
#include "weights/weight_file.h"

namespace snug {
namespace {

using testing::GgufWriter;

std::unique_ptr<ByteSource> view(const std::string& bytes) {
  return view_memory("test.gguf", std::as_bytes(std::span(bytes)));
}

std::string word_of(const std::string& bytes) {
  const auto source = view(bytes);
  try {
    read_gguf_index(*source);
    return "ok";
  } catch (const Error& error) {
    EXPECT_EQ(error.file(), "test.gguf");
    return std::string(error.word());
  }
}

std::string small_list(uint32_t type, const std::vector<std::string>& texts) {
  std::string bytes;
  GgufWriter::put(bytes, type, 4);
  GgufWriter::put(bytes, texts.size(), 8);
  for (const std::string& text : texts) GgufWriter::put_text(bytes, text);
  return bytes;
}

// Metadata of several types and tensors of a plain, a half and a quantised type.
GgufWriter sample(uint32_t version = 3) {
  GgufWriter writer(version);
  writer.add_text("general.architecture", "sd");
  writer.add_value("general.quantization_version", 4, std::string("\x02\0\0\0", 4));
  writer.add_value("some.flag", 7, std::string(1, '\1'));
  writer.add_value("some.float", 6, std::string("\0\0\xc0\x3f", 4));
  writer.add_value("some.negative", 5, std::string("\xff\xff\xff\xff", 4));
  writer.add_value("some.list", 9, small_list(8, {"first", "second"}));
  writer.add_tensor("matrix", {3, 2}, 0, std::string(24, '\1'));
  writer.add_tensor("half", {5}, 1, std::string(10, '\2'));
  writer.add_tensor("blocks", {64, 2}, 8, std::string(4 * 34, '\3'));
  return writer;
}

TEST(GgufTest, ReadsMetadataAndTensorsOfBothVersions) {
  for (const uint32_t version : {2U, 3U}) {
    const std::string bytes = sample(version).bytes();
    const auto source = view(bytes);
    const GgufIndex index = read_gguf_index(*source);
    EXPECT_EQ(index.version, version);
    EXPECT_EQ(std::get<GgufScalar>(index.metadata.at("general.architecture")), GgufScalar(std::string("sd")));
    EXPECT_EQ(std::get<GgufScalar>(index.metadata.at("general.quantization_version")),
              GgufScalar(uint64_t{2}));
    EXPECT_EQ(std::get<GgufScalar>(index.metadata.at("some.flag")), GgufScalar(true));
    EXPECT_EQ(std::get<GgufScalar>(index.metadata.at("some.float")), GgufScalar(1.5));
    EXPECT_EQ(std::get<GgufScalar>(index.metadata.at("some.negative")), GgufScalar(int64_t{-1}));
    EXPECT_EQ(std::get<GgufList>(index.metadata.at("some.list")).values.at(1),
              GgufScalar(std::string("second")));

    ASSERT_EQ(index.tensors.size(), 3U);
    EXPECT_EQ(index.tensors[0].shape, (Shape{2, 3})) << "extents are turned round";
    EXPECT_EQ(index.tensors[2].shape, (Shape{2, 64}));
    EXPECT_EQ(index.tensors[2].dtype, DType::kQ8_0);
    EXPECT_EQ(index.tensors[2].bytes, 136U);
    for (size_t i = 0; i < 3; ++i) {
      std::vector<std::byte> data(index.tensors[i].bytes);
      source->read_at(index.tensors[i].offset, data);
      for (const std::byte byte : data)
        ASSERT_EQ(std::to_integer<size_t>(byte), i + 1) << index.tensors[i].name;
    }
  }
}

TEST(GgufTest, WeightFileKeepsTheTextsOfTheMetadata) {
  const std::string bytes = sample().bytes();
  const WeightFile file = read_weight_file(view(bytes));
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"general.architecture", "sd"}}));
}

std::string extents_list(const std::vector<int>& extents) {
  std::string bytes;
  GgufWriter::put(bytes, 5, 4);
  GgufWriter::put(bytes, extents.size(), 8);
  for (const int extent : extents) GgufWriter::put(bytes, static_cast<uint32_t>(extent), 4);
  return bytes;
}

// As ComfyUI's converter stores Wan's patch embedding, which has five extents.
TEST(GgufTest, TensorsHaveTheShapeThatTheirConverterFoundThemIn) {
  const auto shape_of = [](const std::vector<int>& extents) {
    GgufWriter writer;
    writer.add_value("comfy.gguf.orig_shape.patch", 9, extents_list(extents));
    writer.add_tensor("patch", {4, 6}, 0, std::string(96, '\1'));
    const std::string bytes = writer.bytes();
    return read_weight_file(view(bytes)).tensors.front().shape;
  };
  EXPECT_EQ(shape_of({2, 3, 1, 2, 2}), (Shape{2, 3, 1, 2, 2}));
  const std::vector<std::vector<int>> wrong = {{},
                                               {2, 3},
                                               {2, 3, 1, 2, 3},
                                               {-2, -3, 1, 2, 2},
                                               {0, 3},
                                               {1, 1, 1, 1, 1, 1, 24},
                                               {65536, 65536, 65536, 65536}};
  for (const std::vector<int>& extents : wrong) {
    try {
      shape_of(extents);
      ADD_FAILURE() << "taken: " << extents.size() << " extents";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kShapeMismatch);
      EXPECT_EQ(error.tensor(), "patch");
    }
  }
}

TEST(GgufTest, FileCutAtAnyByteIsAnError) {
  const std::string whole = sample().bytes();
  const auto source = view(whole);
  const StoredTensor last = read_gguf_index(*source).tensors.back();
  for (size_t length = 0; length < last.offset + last.bytes; ++length) {
    EXPECT_NE(word_of(whole.substr(0, length)), "ok") << length << " of " << whole.size() << " bytes";
  }
}

TEST(GgufTest, EveryChangedByteIsReadOrRefusedButNeverBreaksTheReader) {
  const std::string whole = sample().bytes();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      word_of(changed);
    }
  }
}

TEST(GgufTest, LongListsAreCountedButNotKept) {
  GgufWriter writer;
  std::string list;
  GgufWriter::put(list, 8, 4);
  GgufWriter::put(list, 5000, 8);
  for (int i = 0; i < 5000; ++i)
    GgufWriter::put_text(list, "word" + std::to_string(i) + std::string(40, '.'));
  writer.add_value("tokens", 9, list);
  std::string numbers;
  GgufWriter::put(numbers, 6, 4);
  GgufWriter::put(numbers, 100'000, 8);
  numbers.resize(numbers.size() + 400'000);
  writer.add_value("scores", 9, numbers);
  writer.add_text("after", "here");
  const std::string bytes = writer.bytes();
  const auto source = view(bytes);
  const GgufIndex index = read_gguf_index(*source);
  EXPECT_EQ(std::get<GgufList>(index.metadata.at("tokens")).count, 5000U);
  EXPECT_TRUE(std::get<GgufList>(index.metadata.at("tokens")).values.empty());
  EXPECT_EQ(std::get<GgufScalar>(index.metadata.at("after")), GgufScalar(std::string("here")));
}

TEST(GgufTest, LyingCountsAndLengthsAreRefusedBeforeAnythingIsAllocated) {
  std::string huge_counts = sample().bytes();
  for (size_t i = 8; i < 24; ++i) huge_counts[i] = '\xff';
  EXPECT_EQ(word_of(huge_counts), "truncated");

  GgufWriter text;
  std::string length;
  GgufWriter::put(length, uint64_t{1} << 62, 8);
  text.add_value("key", 8, length);
  EXPECT_EQ(word_of(text.bytes()), "truncated");

  GgufWriter list;
  std::string claim;
  GgufWriter::put(claim, 10, 4);
  GgufWriter::put(claim, uint64_t{1} << 61, 8);  // times eight bytes is 2^64
  list.add_value("key", 9, claim);
  EXPECT_EQ(word_of(list.bytes()), "truncated");
}

TEST(GgufTest, RefusesWhatTheFormatForbids) {
  EXPECT_EQ(word_of(sample(1).bytes()), "unsupported");
  EXPECT_EQ(word_of(sample(0x03000000).bytes()), "unsupported");

  GgufWriter twice;
  twice.add_tensor("a", {4}, 0, std::string(16, ' '));
  twice.add_tensor("a", {4}, 0, std::string(16, ' '));
  EXPECT_EQ(word_of(twice.bytes()), "duplicate");

  GgufWriter overlap;
  overlap.add_tensor("a", {16}, 0, std::string(64, ' '));
  overlap.add_tensor_at("b", {8}, 0, 32);
  EXPECT_EQ(word_of(overlap.bytes()), "overlap");

  GgufWriter past_end;
  past_end.add_tensor("a", {8}, 0, std::string(32, ' '));
  past_end.add_tensor_at("b", {8}, 0, 32);
  EXPECT_EQ(word_of(past_end.bytes()), "truncated");

  GgufWriter hole;
  hole.add_tensor_at("a", {8}, 0, 64);
  hole.add_tensor("b", {32}, 0, std::string(128, ' '));
  EXPECT_EQ(word_of(hole.bytes()), "overlap");

  GgufWriter type;
  type.add_tensor("a", {256}, 16, std::string(66, ' '));  // IQ2_XXS
  EXPECT_EQ(word_of(type.bytes()), "unknown_dtype");

  GgufWriter blocks;
  blocks.add_tensor("a", {48, 2}, 8, std::string(102, ' '));
  EXPECT_EQ(word_of(blocks.bytes()), "shape_mismatch");

  GgufWriter overflow;
  overflow.add_tensor("a", {uint64_t{1} << 40, uint64_t{1} << 40}, 0, "");
  EXPECT_EQ(word_of(overflow.bytes()), "overflow");

  GgufWriter rank;
  rank.add_tensor("a", {1, 1, 1, 1, 1, 1, 1}, 0, std::string(4, ' '));
  EXPECT_EQ(word_of(rank.bytes()), "bad_header");

  GgufWriter nested;
  nested.add_value("key", 9, small_list(9, {}));
  EXPECT_EQ(word_of(nested.bytes()), "bad_header");

  GgufWriter name;
  name.add_tensor("a\x1b[2J", {8}, 0, std::string(32, ' '));
  EXPECT_EQ(word_of(name.bytes()), "bad_header");
}

TEST(GgufTest, HonoursTheStatedAlignment) {
  GgufWriter writer(3, 256);
  writer.add_value("general.alignment", 4, std::string("\0\1\0\0", 4));
  writer.add_tensor("a", {4}, 0, std::string(16, '\1'));
  writer.add_tensor("b", {4}, 0, std::string(16, '\2'));
  const std::string bytes = writer.bytes();
  const auto source = view(bytes);
  const GgufIndex index = read_gguf_index(*source);
  EXPECT_EQ(index.tensors[0].offset % 256, 0U);
  EXPECT_EQ(index.tensors[1].offset, index.tensors[0].offset + 256);

  GgufWriter wrong;
  wrong.add_value("general.alignment", 4, std::string("\x21\0\0\0", 4));
  EXPECT_EQ(word_of(wrong.bytes()), "bad_header");
}

}  // namespace
}  // namespace snug
