#include "weights/weight_index.h"

#include <cstring>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "base/error.h"
#include "tensor/convert.h"
#include "weights/dequantise.h"
#include "weights/gguf_file.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

template <typename Action>
std::string word_of(Action action) {
  try {
    action();
    return "ok";
  } catch (const Error& error) {
    return std::string(error.word());
  }
}

// A file in memory that owns its bytes.
class OwnedSource final : public ByteSource {
 public:
  explicit OwnedSource(std::string bytes)
      : bytes_(std::move(bytes)), view_(view_memory("owned.safetensors", std::as_bytes(std::span(bytes_)))) {}
  const std::string& name() const override { return view_->name(); }
  uint64_t size() const override { return view_->size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override { view_->read_at(offset, out); }

 private:
  std::string bytes_;
  std::unique_ptr<ByteSource> view_;
};

WeightFile file_of(const TensorsByName& tensors) {
  return read_weight_file(std::make_shared<OwnedSource>(safetensors_bytes(tensors)));
}

HostTensor counting(Shape shape) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return HostTensor::from_floats(shape, values);
}

std::vector<float> read_all(const WeightIndex& index, std::string_view name) {
  std::vector<float> values(static_cast<size_t>(index.entry(name).shape.elements()));
  index.read_f32(name, 0, values);
  return values;
}

TEST(WeightIndexTest, AMatrixStoredByItsColumnsIsReadByRows) {
  const WeightFile file = file_of({{"matrix", counting({3, 2})}, {"vector", counting({3})}});
  const auto at = [&](const std::string& name) {
    for (size_t i = 0; i < file.tensors.size(); ++i) {
      if (file.tensors[i].name == name) return i;
    }
    return file.tensors.size();
  };
  WeightIndex index("test");
  index.add(file.source, file.tensors, {{.stored = at("matrix"), .name = "m", .transposed = true}});
  EXPECT_EQ(index.entry("m").shape, (Shape{2, 3}));
  EXPECT_EQ(read_all(index, "m"), (std::vector<float>{0, 2, 4, 1, 3, 5}));
  std::vector<float> row(3);
  index.read_rows_f32("m", {1, 2}, row);
  EXPECT_EQ(row, (std::vector<float>{1, 3, 5}));
  std::vector<float> whole(6);
  index.read("m", std::as_writable_bytes(std::span(whole)));
  EXPECT_EQ(whole, read_all(index, "m"));
  index.read_rows("m", {1, 2}, std::as_writable_bytes(std::span(row)));
  EXPECT_EQ(row, (std::vector<float>{1, 3, 5}));
  EXPECT_EQ(word_of([&] {
              WeightIndex other("test");
              other.add(file.source, file.tensors,
                        {{.stored = at("vector"), .name = "v", .transposed = true}});
            }),
            "shape_mismatch");
}

TEST(WeightIndexTest, SlicesAndMatricesAreViewsOfTheStoredBytes) {
  const WeightFile file = file_of({{"joint", counting({6, 2})}, {"conv", counting({2, 2, 1, 1})}});
  WeightIndex index("test");
  NameMappings mappings;
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    if (file.tensors[i].name == "conv") mappings.push_back({.stored = i, .name = "conv", .as_matrix = true});
    if (file.tensors[i].name != "joint") continue;
    for (int slice = 0; slice < 3; ++slice) {
      mappings.push_back({.stored = i, .name = std::string(1, "qkv"[slice]), .slice = slice, .slices = 3});
    }
  }
  index.add(file.source, file.tensors, mappings);
  EXPECT_EQ(index.find("k")->shape, (Shape{2, 2}));
  EXPECT_EQ(index.find("conv")->shape, (Shape{2, 2}));
  EXPECT_EQ(read_all(index, "q"), (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(read_all(index, "v"), (std::vector<float>{8, 9, 10, 11}));
  EXPECT_EQ(index.total_bytes(), 16U * 4);
  EXPECT_EQ(index.total_parameters(), 16);
  EXPECT_EQ(index.names(), (std::vector<std::string>{"conv", "k", "q", "v"}));

  std::vector<std::byte> raw(16);
  index.read("k", raw);
  float first = 0;
  std::memcpy(&first, raw.data(), 4);
  EXPECT_EQ(first, 4.0F);
}

TEST(WeightIndexTest, RefusesUnequalSlicesAndRepeatedNames) {
  const WeightFile file = file_of({{"four", counting({4})}});
  WeightIndex index("test");
  EXPECT_EQ(word_of([&] { index.add(file.source, file.tensors, {{.stored = 0, .name = "q", .slices = 3}}); }),
            "shape_mismatch");
  index.add(file.source, file.tensors, {{.stored = 0, .name = "a"}});
  EXPECT_EQ(word_of([&] { index.add(file.source, file.tensors, {{.stored = 0, .name = "a"}}); }),
            "duplicate");
}

TEST(WeightIndexTest, AMissingTensorIsNamed) {
  const WeightIndex index("some/folder");
  EXPECT_FALSE(index.find("conv_in.weight").has_value());
  try {
    index.entry("conv_in.weight");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMissingTensor);
    EXPECT_EQ(error.tensor(), "conv_in.weight");
    EXPECT_EQ(error.file(), "some/folder");
  }
}

TEST(WeightIndexTest, LongTensorsAreReadInPiecesFromAnyElement) {
  constexpr int64_t kElements = 70'001;  // several pieces, the last one odd
  const HostTensor floats = counting({kElements});
  HostTensor halves(DType::kBF16, {kElements});
  from_f32(DType::kBF16, floats.floats(), halves.bytes().data());
  const WeightFile file = file_of({{"f32", floats}, {"bf16", halves}});
  WeightIndex index("test");
  index.add(file.source, file.tensors, map_diffusers(file.tensors));
  EXPECT_TRUE(std::ranges::equal(read_all(index, "f32"), floats.floats()));
  EXPECT_TRUE(std::ranges::equal(read_all(index, "bf16"), halves.to_f32().floats()));
  std::vector<float> part(40'000);
  index.read_f32("f32", 17'003, part);
  EXPECT_TRUE(std::ranges::equal(part, floats.floats().subspan(17'003, 40'000)));
}

TEST(WeightIndexTest, QuantisedTensorsAreExpandedFromAnyBlock) {
  std::string blocks(100 * 144 * 12, '\0');
  std::mt19937 random(3);
  for (char& byte : blocks) byte = static_cast<char>(random() & 0x3f);  // finite halves
  testing::GgufWriter writer;
  writer.add_tensor("w", {256 * 12, 100}, 12, blocks);
  const WeightFile file = read_weight_file(std::make_shared<OwnedSource>(writer.bytes()));
  WeightIndex index("test");
  index.add(file.source, file.tensors, map_diffusers(file.tensors));
  EXPECT_EQ(index.find("w")->dtype, DType::kQ4_K);

  std::vector<float> expected(256 * 1200);
  dequantise(DType::kQ4_K, std::as_bytes(std::span(blocks)), expected);
  EXPECT_EQ(read_all(index, "w"), expected);
  std::vector<float> part(256 * 700);
  index.read_f32("w", 256 * 3, part);
  EXPECT_TRUE(std::ranges::equal(part, std::span(expected).subspan(256 * 3, part.size())));
}

TEST(WeightIndexTest, RowsAreRangesOfDimensionZeroAsStoredOrAsFloats) {
  const HostTensor floats = counting({7, 3, 2, 2});
  HostTensor halves(DType::kF16, {7, 3, 2, 2});
  from_f32(DType::kF16, floats.floats(), halves.bytes().data());
  const WeightFile file = file_of({{"f32", floats}, {"f16", halves}, {"scalar", counting(Shape{})}});
  WeightIndex index("test");
  index.add(file.source, file.tensors, map_diffusers(file.tensors));
  for (const Interval rows : {Interval{0, 7}, Interval{2, 5}, Interval{6, 7}, Interval{3, 3}}) {
    const auto first = static_cast<size_t>(rows.begin) * 12, count = static_cast<size_t>(rows.size()) * 12;
    std::vector<std::byte> raw(count * 2);
    index.read_rows("f16", rows, raw);
    EXPECT_TRUE(std::ranges::equal(raw, halves.bytes().subspan(first * 2, count * 2)));
    std::vector<float> values(count);
    index.read_rows_f32("f16", rows, values);
    EXPECT_TRUE(std::ranges::equal(values, floats.floats().subspan(first, count)));
  }
  std::vector<float> one(1, -1);
  index.read_rows_f32("scalar", {0, 1}, one);
  EXPECT_EQ(one[0], 0);
}

// A file's author may quantise a vector, whose rows are single elements; a kernel may want any of them.
TEST(WeightIndexTest, RowsAsFloatsMayCutQuantisedBlocks) {
  std::string blocks(34 * 5, '\0');  // Q8_0: 32 elements in 34 bytes
  std::mt19937 random(5);
  for (char& byte : blocks) byte = static_cast<char>(random() & 0x3f);
  testing::GgufWriter writer;
  writer.add_tensor("bias", {32 * 5}, 8, blocks);
  const WeightFile file = read_weight_file(std::make_shared<OwnedSource>(writer.bytes()));
  WeightIndex index("test");
  index.add(file.source, file.tensors, map_diffusers(file.tensors));
  const std::vector<float> all = read_all(index, "bias");
  for (int64_t begin = 0; begin <= 160; ++begin) {
    for (int64_t end = begin; end <= 160; end += 7) {
      std::vector<float> part(static_cast<size_t>(end - begin));
      index.read_rows_f32("bias", {begin, end}, part);
      EXPECT_TRUE(std::ranges::equal(part, std::span(all).subspan(static_cast<size_t>(begin), part.size())))
          << begin << " to " << end;
    }
  }
}

TEST(WeightIndexTest, ThreadsReadAtOnce) {
  const HostTensor floats = counting({100, 100});
  const WeightFile file = file_of({{"w", floats}});
  WeightIndex index("test");
  index.add(file.source, file.tensors, map_diffusers(file.tensors));
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) EXPECT_TRUE(std::ranges::equal(read_all(index, "w"), floats.floats()));
    });
  }
}

}  // namespace
}  // namespace snug
