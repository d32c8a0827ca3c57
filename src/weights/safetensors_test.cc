// The reader against every malformed file of fixtures/bad, against cuts at every byte, and against what
// the writer makes.
#include "weights/safetensors.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/fixtures.h"
#include "weights/file_format.h"
#include "weights/safetensors_write.h"
#include "weights/weight_file.h"

namespace snug {
namespace {

std::unique_ptr<ByteSource> view(const std::string& bytes, const std::string& name = "test.safetensors") {
  return view_memory(name, std::as_bytes(std::span(bytes)));
}

// The word of the error that reading gives, "ok" for none.
std::string word_of(const ByteSource& source) {
  try {
    read_safetensors_index(source);
    return "ok";
  } catch (const Error& error) {
    EXPECT_EQ(error.file(), source.name());
    return std::string(error.word());
  }
}

// A file from its header's JSON and a number of zero bytes.
std::string file_of(const std::string& header, size_t data_bytes) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + std::string(data_bytes, '\0');
}

std::string word_of_header(const std::string& header, size_t data_bytes) {
  const std::string bytes = file_of(header, data_bytes);
  return word_of(*view(bytes));
}

TEST(SafetensorsTest, EveryMalformedFileGivesAnAcceptedWordAndControlsLoad) {
  int files = 0;
  for (const auto& row : testing::read_fixture_json("bad/expect.json")) {
    const auto path = row["path"].get<std::string>();
    if (!path.starts_with("files/")) continue;
    ++files;
    const auto source = open_file(testing::fixtures_dir() + "/bad/" + path);
    const std::string word = word_of(*source);
    const auto accepted = row["accept"].get<std::vector<std::string>>();
    EXPECT_NE(std::find(accepted.begin(), accepted.end(), word), accepted.end()) << path << " gave " << word;
  }
  EXPECT_GT(files, 30);
}

TEST(SafetensorsTest, ErrorsNameTheTensor) {
  const auto source = open_file(testing::fixtures_dir() + "/bad/files/unknown_dtype.safetensors");
  try {
    read_safetensors_index(*source);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.tensor(), "first");
    EXPECT_FALSE(error.fix().empty());
  }
}

TEST(SafetensorsTest, RefusedPicklesSayHowToConvert) {
  const auto source = open_file(testing::fixtures_dir() + "/bad/files/zip_pickle.ckpt");
  try {
    read_weight_file(open_file(source->name()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kPickleRefused);
    EXPECT_NE(error.fix().find("weights_only=True"), std::string::npos) << error.fix();
    EXPECT_NE(error.fix().find("zip_pickle.safetensors"), std::string::npos) << error.fix();
  }
}

TEST(SafetensorsTest, AHeaderLengthThatLooksLikeAPickleIsNoPickle) {
  std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.resize(0x280, ' ');  // the length field starts with the bytes 80 02
  const std::string bytes = file_of(header, 4);
  EXPECT_EQ(word_of(*view(bytes)), "ok");
}

TEST(SafetensorsTest, FileCutAtAnyByteIsAnError) {
  const std::string whole = testing::read_fixture_bytes("bad/files/good.safetensors");
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::string cut = whole.substr(0, length);
    EXPECT_NE(word_of(*view(cut)), "ok") << length << " of " << whole.size() << " bytes";
  }
}

TEST(SafetensorsTest, EveryFlippedHeaderBitIsReadOrRefusedButNeverBreaksTheReader) {
  const std::string whole = testing::read_fixture_bytes("bad/files/good_metadata_scalar_empty.safetensors");
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      const auto source = view(flipped);
      try {
        for (const StoredTensor& tensor : read_safetensors_index(*source).tensors) {
          read_host_tensor(*source, tensor);  // in range, or this throws truncated
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.file(), source->name());
      }
    }
  }
}

TEST(SafetensorsTest, HeaderRulesBeyondTheFixtures) {
  const std::string good = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_EQ(word_of_header("{" + good + "}", 4), "ok");
  EXPECT_EQ(word_of_header("{" + good + "}   ", 4), "ok");
  EXPECT_EQ(word_of_header(" {" + good + "}", 4), "bad_header");
  EXPECT_EQ(word_of_header("{" + good + "} {}", 4), "bad_header");
  EXPECT_EQ(word_of_header("{}", 0), "ok");
  EXPECT_EQ(word_of_header(R"({"__metadata__":{"k":"1","k":"2"}})", 0), "duplicate");
  EXPECT_EQ(word_of_header(R"({"__metadata__":{},"__metadata__":{}})", 0), "duplicate");
  EXPECT_EQ(word_of_header(R"({"__metadata__":{"k":{}}})", 0), "bad_header");
  EXPECT_EQ(word_of_header(R"({"a":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}})", 4),
            "duplicate");
  EXPECT_EQ(word_of_header(R"({"a":{"dtype":"Q8_0","shape":[32],"data_offsets":[0,34]}})", 34),
            "unknown_dtype");
  EXPECT_EQ(word_of_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4), "bad_header");
  EXPECT_EQ(word_of_header(R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4), "bad_header");
  EXPECT_EQ(word_of_header(R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4), "bad_header");
  EXPECT_EQ(word_of_header(R"({"a\n":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4), "bad_header");
  // An extent of 0 must not hide what the others multiply to.
  EXPECT_EQ(
      word_of_header(R"({"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})", 0),
      "overflow");
  EXPECT_EQ(word_of_header(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4),
            "unsupported");
}

TEST(SafetensorsTest, WhatIsWrittenIsReadAndTheSameBytesEveryTime) {
  TensorsByName tensors;
  const std::vector<float> values = {1.5F, -2.0F, 0.25F, 3.0F, -0.0F, 7.0F};
  tensors["b.wide"] = HostTensor::from_floats({2, 3}, values);
  tensors["a.half"] = HostTensor(DType::kF16, {3});
  tensors["scalar"] = HostTensor(DType::kI64, Shape{});
  tensors["empty"] = HostTensor(DType::kF32, {0, 4});
  const std::string bytes = safetensors_bytes(tensors, {{"prompt", "a \"red\" sail\nboat"}, {"seed", "7"}});
  EXPECT_EQ(bytes, safetensors_bytes(tensors, {{"seed", "7"}, {"prompt", "a \"red\" sail\nboat"}}));

  const auto source = view(bytes);
  const SafetensorsIndex index = read_safetensors_index(*source);
  EXPECT_EQ(index.metadata.at("prompt"), "a \"red\" sail\nboat");
  ASSERT_EQ(index.tensors.size(), 4U);
  for (const auto& [name, tensor] : tensors) {
    const StoredTensor* stored = index.find(name);
    ASSERT_NE(stored, nullptr) << name;
    EXPECT_EQ(stored->offset % static_cast<uint64_t>(element_bytes(stored->dtype)), 0U)
        << name << " is aligned";
    const HostTensor read = read_host_tensor(*source, *stored);
    EXPECT_EQ(read.dtype(), tensor.dtype());
    EXPECT_EQ(read.shape(), tensor.shape());
    EXPECT_TRUE(std::ranges::equal(read.bytes(), tensor.bytes())) << name;
  }
  EXPECT_EQ(index.find("absent"), nullptr);
}

TEST(SafetensorsTest, ReadsAllGoldenFilesAsTheTestsOwnReaderDoes) {
  for (const char* path : {"sd15-tiny/cases/text_encoder.safetensors", "rng/randn.safetensors"}) {
    const auto source = open_file(testing::fixtures_dir() + "/" + path);
    const SafetensorsIndex index = read_safetensors_index(*source);
    const auto golden = testing::read_fixture(path);
    EXPECT_EQ(index.tensors.size(), golden.size());
    for (const auto& [name, tensor] : golden) {
      ASSERT_NE(index.find(name), nullptr) << name;
      EXPECT_TRUE(std::ranges::equal(read_host_tensor(*source, *index.find(name)).bytes(), tensor.bytes()))
          << name;
    }
  }
}

}  // namespace
}  // namespace snug
