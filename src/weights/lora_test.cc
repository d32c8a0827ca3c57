// LoRAs against the values that PyTorch merges, and the rules that hold for any of them: what is read in
// parts is what is read whole, nothing of the model changes for good, and a file that does not fit is refused
// by name. Whole models with LoRAs are tests/lora_parity_test.cc's.
#include "weights/lora.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tensor/convert.h"
#include "tests/fixtures.h"
#include "tests/manifest_weights.h"
#include "weights/checkpoint.h"
#include "weights/gguf_file.h"
#include "weights/lora_names.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

using testing::fixtures_dir;

// A file in memory that owns its bytes.
class OwnedSource final : public ByteSource {
 public:
  OwnedSource(std::string name, std::string bytes)
      : bytes_(std::move(bytes)), view_(view_memory(std::move(name), std::as_bytes(std::span(bytes_)))) {}
  const std::string& name() const override { return view_->name(); }
  uint64_t size() const override { return view_->size(); }
  void read_at(uint64_t offset, std::span<std::byte> out) const override { view_->read_at(offset, out); }

 private:
  std::string bytes_;
  std::unique_ptr<ByteSource> view_;
};

std::shared_ptr<const ByteSource> source_of(const TensorsByName& tensors, const std::string& name) {
  return std::make_shared<OwnedSource>(name, safetensors_bytes(tensors));
}

std::shared_ptr<const WeightIndex> index_of(std::shared_ptr<const ByteSource> source) {
  const WeightFile file = read_weight_file(std::move(source));
  auto index = std::make_shared<WeightIndex>("model");
  index->add(file.source, file.tensors, map_diffusers(file.tensors));
  return index;
}

LoraUse lora(std::shared_ptr<const ByteSource> source, double weight = 1, std::string part = {}) {
  return {"test", weight, std::move(part), std::make_shared<LoraFile>(read_lora_file(std::move(source)))};
}

LoraUse fixture_lora(const std::string& name, double weight = 1) {
  return lora(open_file(fixtures_dir() + "/" + name + ".safetensors"), weight);
}

WeightsByPart tiny_model() {
  const Checkpoint checkpoint = open_checkpoint(fixtures_dir() + "/sd15-tiny/model");
  return {{"unet", checkpoint.require("unet").weights},
          {"text_encoder", checkpoint.require("text_encoder").weights}};
}

std::vector<float> values_of(const WeightIndex& index, const std::string& tensor) {
  std::vector<float> values(static_cast<size_t>(index.entry(tensor).shape.elements()));
  index.read_f32(tensor, 0, values);
  return values;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return fmt::format("{} {} {} {}", error.word(), error.file(), error.tensor(), error.problem());
  }
  return "no error";
}

HostTensor random_tensor(Shape shape, std::mt19937& random, DType dtype = DType::kF32) {
  std::normal_distribution<float> normal(0, 0.1F);
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (float& value : values) value = normal(random);
  HostTensor tensor(dtype, shape);
  from_f32(dtype, values, tensor.bytes().data());
  return tensor;
}

TEST(Lora, MergedWeightsArePyTorchs) {
  WeightsByPart parts = tiny_model();
  const LoraUse uses[] = {fixture_lora("lora/kohya", 0.5)};
  apply_loras(uses, parts);
  const auto expected = testing::read_fixture("lora/expect.safetensors");
  const auto tolerances = testing::read_fixture_json("lora/expect.json").at("tolerance");
  int compared = 0;
  for (const auto& [name, tensor] : expected) {
    constexpr std::string_view kPrefix = "kohya.0.5.weight.";
    if (!name.starts_with(kPrefix)) continue;
    const auto merged = values_of(*parts.at("unet"), name.substr(kPrefix.size()) + ".weight");
    const double worst = testing::worst_difference(merged, tensor.floats());
    std::printf("parity %s: worst %.2g (tolerance %.2g)\n", name.c_str(), worst,
                tolerances.at(name).get<double>());
    EXPECT_LE(worst, tolerances.at(name).get<double>()) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 2);
}

TEST(Lora, EveryKeyOfTheFixturesIsUsed) {
  for (const char* name : {"lora/kohya", "lora/peft", "lora/diffusers_old"}) {
    WeightsByPart parts = tiny_model();
    const LoraUse use = fixture_lora(name);
    const LoraOutcome outcome = apply_loras({&use, 1}, parts).front();
    EXPECT_EQ(outcome.unused, std::vector<std::string>()) << name;
    EXPECT_EQ(outcome.modules, use.file->modules.size()) << name;
    EXPECT_GT(outcome.bytes, 0U);
  }
}

TEST(Lora, OlderNamesMeanTheSameBits) {
  WeightsByPart peft = tiny_model(), old = tiny_model();
  const LoraUse new_names = fixture_lora("lora/peft", 0.7),
                old_names = fixture_lora("lora/diffusers_old", 0.7);
  apply_loras({&new_names, 1}, peft);
  apply_loras({&old_names, 1}, old);
  for (const auto& [part, index] : peft) {
    for (const std::string& tensor : index->names()) {
      EXPECT_EQ(values_of(*index, tensor), values_of(*old.at(part), tensor)) << tensor;
    }
  }
}

TEST(Lora, TheModelsOwnWeightsStayAsTheyAre) {
  const WeightsByPart before = tiny_model();
  WeightsByPart parts = before, without = before;
  const LoraUse use = fixture_lora("lora/kohya"), nothing = fixture_lora("lora/kohya", 0);
  apply_loras({&use, 1}, parts);
  apply_loras({&nothing, 1}, without);
  size_t changed = 0;
  for (const auto& [part, index] : before) {
    const WeightsByPart anew = tiny_model();
    for (const std::string& tensor : index->names()) {
      EXPECT_EQ(values_of(*index, tensor), values_of(*anew.at(part), tensor)) << tensor;
      EXPECT_EQ(values_of(*index, tensor), values_of(*without.at(part), tensor)) << tensor;
      changed += values_of(*index, tensor) != values_of(*parts.at(part), tensor) ? 1 : 0;
    }
    EXPECT_EQ(without.at(part)->update_room_bytes(), 0U);
  }
  EXPECT_EQ(changed, use.file->modules.size());
}

// What a tensor is with two products and a difference, by the definition.
std::vector<float> by_definition(const std::vector<float>& weight, int64_t rows,
                                 const WeightUpdates& updates) {
  const auto columns = static_cast<int64_t>(weight.size()) / rows;
  const auto read = [](const StoredMatrix& matrix) {
    std::vector<std::byte> raw(matrix.bytes());
    matrix.source->read_at(matrix.offset, raw);
    std::vector<float> values(static_cast<size_t>(matrix.rows * matrix.columns));
    to_f32(matrix.dtype, raw.data(), values);
    return values;
  };
  std::vector<float> out = weight;
  for (const WeightUpdate& update : updates) {
    const std::vector<float> down = read(update.down);
    const std::vector<float> up = update.is_difference() ? std::vector<float>() : read(update.up);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        float sum = update.is_difference() ? down[static_cast<size_t>(i * columns + j)] : 0;
        for (int64_t r = 0; r < update.rank(); ++r)
          sum += up[static_cast<size_t>(i * update.rank() + r)] * down[static_cast<size_t>(r * columns + j)];
        out[static_cast<size_t>(i * columns + j)] += update.factor * sum;
      }
    }
  }
  return out;
}

struct RandomTensor {
  Shape shape;
  TensorsByName model, lora;
};

// A convolution or matrix with a product, or that and a difference.
RandomTensor random_case(std::mt19937& random, DType dtype) {
  const auto pick = [&](int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random);
  };
  RandomTensor made;
  const bool convolution = pick(0, 1) == 1;
  const int64_t rows = pick(1, 40), channels = pick(1, convolution ? 130 : 1100), rank = pick(1, 9);
  made.shape = convolution ? Shape{rows, channels, 3, 3} : Shape{rows, channels};
  Shape down = made.shape;
  down.set(0, rank);
  made.model["m.weight"] = random_tensor(made.shape, random, dtype);
  const DType stored = pick(0, 1) == 1 ? DType::kF16 : DType::kF32;
  made.lora["unet.m.lora_A.weight"] = random_tensor(down, random, stored);
  made.lora["unet.m.lora_B.weight"] =
      random_tensor(convolution ? Shape{rows, rank, 1, 1} : Shape{rows, rank}, random, stored);
  if (pick(0, 1) == 1) made.lora["unet.m.diff"] = random_tensor(made.shape, random, stored);
  return made;
}

TEST(Lora, RowsInAnyPartsHaveTheBitsOfTheWhole) {
  std::mt19937 random(17);
  for (int round = 0; round < 150; ++round) {
    const DType dtype = std::array{DType::kF32, DType::kF16, DType::kBF16}[static_cast<size_t>(round % 3)];
    const RandomTensor made = random_case(random, dtype);
    WeightsByPart parts = {{"unet", index_of(source_of(made.model, "model"))}};
    const std::vector<float> plain = values_of(*parts.at("unet"), "m.weight");
    const LoraUse uses[] = {lora(source_of(made.lora, "a"), 0.8), lora(source_of(made.lora, "b"), -1.7)};
    apply_loras(uses, parts);
    const WeightIndex& index = *parts.at("unet");
    const int64_t rows = made.shape[0], columns = made.shape.elements() / rows;

    std::vector<float> expected = by_definition(plain, rows, *index.updates("m.weight"));
    std::vector<std::byte> stored(index.entry("m.weight").bytes);
    from_f32(dtype, expected, stored.data());  // rounded to the type of the file
    to_f32(dtype, stored.data(), expected);
    EXPECT_EQ(values_of(index, "m.weight"), expected);

    UpdateRoom room(index.update_room_bytes());
    std::vector<std::byte> raw(stored.size());
    std::vector<float> floats(expected.size());
    for (int64_t row = 0; row < rows;) {
      const int64_t end = std::uniform_int_distribution<int64_t>(row + 1, rows)(random);
      const auto first = static_cast<size_t>(row * columns),
                 count = static_cast<size_t>((end - row) * columns);
      const size_t bytes = stored.size() / expected.size();
      index.read_rows("m.weight", {row, end}, std::span(raw).subspan(first * bytes, count * bytes), &room);
      index.read_rows_f32("m.weight", {row, end}, std::span(floats).subspan(first, count),
                          round % 2 == 0 ? &room : nullptr);
      row = end;
    }
    EXPECT_TRUE(raw == stored);
    EXPECT_EQ(floats, expected);
    const int64_t middle = made.shape.elements() / 3;
    std::vector<float> tail(expected.size() - static_cast<size_t>(middle));
    index.read_f32("m.weight", middle, tail);
    EXPECT_TRUE(std::equal(tail.begin(), tail.end(), expected.begin() + middle));
  }
}

// Biases and quantised weights, of which updates are added in F32.
TEST(Lora, VectorsAndQuantisedWeights) {
  std::mt19937 random(3);
  testing::GgufWriter gguf;
  std::string block(34, '\x01');  // a scale, and 32 times 1
  gguf.add_tensor("m.weight", {32, 2}, 8, block + block);
  gguf.add_tensor("m.bias", {2}, 0, std::string(8, '\0'));
  WeightsByPart parts = {{"unet", index_of(std::make_shared<OwnedSource>("q", gguf.bytes()))}};
  const std::vector<float> plain = values_of(*parts.at("unet"), "m.weight");
  const LoraUse use = lora(source_of({{"unet.m.lora_A.weight", random_tensor({3, 32}, random)},
                                      {"unet.m.lora_B.weight", random_tensor({2, 3}, random)},
                                      {"unet.m.lora_B.bias", HostTensor::from_floats({2}, {{1, 2}})},
                                      {"unet.m.alpha", HostTensor::from_floats({}, {{6}})},
                                      {"unet.m.diff_b", HostTensor::from_floats({2}, {{10, 20}})}},
                                     "lora"),
                           0.5);
  EXPECT_EQ(apply_loras({&use, 1}, parts).front().unused, std::vector<std::string>());
  const WeightIndex& index = *parts.at("unet");
  EXPECT_EQ(values_of(index, "m.weight"), by_definition(plain, 2, *index.updates("m.weight")));
  EXPECT_EQ(index.updates("m.weight")->front().factor, 1.0F);  // 0.5 · 6 / 3
  EXPECT_EQ(values_of(index, "m.bias"), (std::vector<float>{6, 12}));
}

class LoraOriginalNames : public ::testing::TestWithParam<const char*> {};

// kohya names SDXL's UNet as its authors do: lora_unet_input_blocks_4_1_...
TEST_P(LoraOriginalNames, OfTheUnetAreTurnedRound) {
  const testing::MapWeights manifest = testing::manifest_weights(GetParam());
  std::vector<StoredTensor> stored;
  for (const auto& [name, info] : manifest.tensors) {
    constexpr std::string_view kPrefix = "model.diffusion_model.";
    if (name.starts_with(kPrefix))
      stored.push_back({.name = name.substr(kPrefix.size()), .shape = info.shape});
  }
  const auto module_of = [](std::string_view name) { return std::string(name.substr(0, name.rfind('.'))); };
  std::vector<std::string> tensors, modules;
  const NameMappings mappings = map_original_unet(stored);
  for (const NameMapping& mapping : mappings) {
    tensors.push_back(mapping.name);
    modules.push_back(module_of(mapping.name));
  }
  ASSERT_GT(tensors.size(), 600U);
  const auto originals = original_unet_modules(modules);
  LoraNames names;
  names.add("unet", tensors);
  for (const NameMapping& mapping : mappings) {
    const std::string original = module_of(stored[mapping.stored].name);
    ASSERT_EQ(originals.at(module_of(mapping.name)), original);
    std::string flat = "lora_unet_" + original;
    std::replace(flat.begin(), flat.end(), '.', '_');
    const auto& found = names.find(flat);
    ASSERT_EQ(found.size(), 1U) << flat;
    EXPECT_EQ(found.front().module, module_of(mapping.name));
  }
}

INSTANTIATE_TEST_SUITE_P(All, LoraOriginalNames, ::testing::Values("sd15.single_file", "sdxl.single_file"));

TEST(Lora, EachTextEncoderHasItsOwnNames) {
  LoraNames names;
  const std::string module = "text_model.encoder.layers.0.self_attn.q_proj";
  names.add("text_encoder", {module + ".weight"});
  names.add("text_encoder_2", {module + ".weight"});
  const auto part_of = [&](const std::string& name) {
    const auto& found = names.find(name);
    return found.size() == 1 ? found.front().part : std::string("?");
  };
  EXPECT_EQ(part_of("lora_te_text_model_encoder_layers_0_self_attn_q_proj"), "text_encoder");
  EXPECT_EQ(part_of("lora_te1_text_model_encoder_layers_0_self_attn_q_proj"), "text_encoder");
  EXPECT_EQ(part_of("lora_te2_text_model_encoder_layers_0_self_attn_q_proj"), "text_encoder_2");
  EXPECT_EQ(part_of("text_encoder." + module), "text_encoder");
  EXPECT_EQ(part_of("text_encoder_2." + module), "text_encoder_2");
  EXPECT_EQ(part_of(module), "?");
}

// The tensors of Wan's transformer that its LoRAs change, of 2 blocks, with values.
std::shared_ptr<const WeightIndex> wan_transformer() {
  std::mt19937 random(5);
  TensorsByName tensors;
  for (const std::string block : {"blocks.0.", "blocks.1."}) {
    for (const std::string attention : {"attn1.", "attn2."}) {
      for (const char* projection : {"to_q", "to_k", "to_v", "to_out.0"}) {
        tensors[block + attention + projection + ".weight"] = random_tensor({64, 64}, random);
        tensors[block + attention + projection + ".bias"] = random_tensor({64}, random);
      }
    }
    tensors[block + "ffn.net.0.proj.weight"] = random_tensor({96, 64}, random);
    tensors[block + "ffn.net.0.proj.bias"] = random_tensor({96}, random);
    tensors[block + "ffn.net.2.weight"] = random_tensor({64, 96}, random);
    tensors[block + "ffn.net.2.bias"] = random_tensor({64}, random);
  }
  return index_of(source_of(tensors, "wan"));
}

TEST(Lora, WansThreeLayoutsChangeTheSameModules) {
  std::vector<WeightsByPart> changed;
  for (const char* name : {"diffusers", "lightx2v", "musubi", "lightx2v_bias"}) {
    changed.push_back({{"transformer", wan_transformer()}});
    const LoraUse use = fixture_lora(std::string("wan-tiny-t2v/lora/") + name, 0.5);
    const LoraOutcome outcome = apply_loras({&use, 1}, changed.back()).front();
    EXPECT_EQ(outcome.unused, std::vector<std::string>()) << name;
    EXPECT_EQ(outcome.modules, 20U) << name;
  }
  const auto plain = wan_transformer();
  for (const std::string& tensor : plain->names()) {
    const bool bias = tensor.ends_with(".bias");
    const auto of = [&](size_t i) { return values_of(*changed[i].at("transformer"), tensor); };
    EXPECT_EQ(of(0), of(1)) << tensor;
    // musubi's alpha is folded into a factor of the others.
    EXPECT_LE(testing::worst_difference(of(0), of(2)), 1e-6) << tensor;
    EXPECT_EQ(of(0) == values_of(*plain, tensor), bias) << tensor;
    if (bias) {
      EXPECT_NE(of(3), values_of(*plain, tensor)) << tensor;
    }
  }
}

TEST(Lora, OneOfTwoTransformersWhereTheRequestSaysSo) {
  const auto plain = wan_transformer();
  const std::string tensor = "blocks.0.attn1.to_q.weight";
  const auto changes = [&](const std::string& part) {
    WeightsByPart parts = {{"transformer", plain}, {"transformer_2", plain}};
    LoraUse use = fixture_lora("wan-tiny-t2v/lora/lightx2v");
    use.part = part;
    apply_loras({&use, 1}, parts);
    std::string which;
    for (const auto& [name, index] : parts) {
      if (values_of(*index, tensor) != values_of(*plain, tensor)) which += name + ";";
    }
    return which;
  };
  EXPECT_EQ(changes(""), "transformer;transformer_2;");
  EXPECT_EQ(changes("transformer_2"), "transformer_2;");
}

TEST(Lora, KeysThatNothingUsesAreListed) {
  std::mt19937 random(1);
  WeightsByPart parts = {
      {"unet", index_of(source_of({{"m.weight", random_tensor({4, 4}, random)}}, "model"))}};
  const LoraUse use = lora(source_of({{"unet.m.lora_A.weight", random_tensor({2, 4}, random)},
                                      {"unet.m.lora_B.weight", random_tensor({4, 2}, random)},
                                      {"unet.m.diff_b", random_tensor({4}, random)},  // there is no bias
                                      {"unet.other.lora_A.weight", random_tensor({2, 4}, random)},
                                      {"unet.other.lora_B.weight", random_tensor({4, 2}, random)},
                                      {"noise", random_tensor({4}, random)}},
                                     "lora"));
  const LoraOutcome outcome = apply_loras({&use, 1}, parts).front();
  EXPECT_EQ(outcome.modules, 1U);
  EXPECT_EQ(outcome.unused, (std::vector<std::string>{"noise", "unet.m.diff_b", "unet.other.lora_A.weight",
                                                      "unet.other.lora_B.weight"}));
}

TEST(Lora, WhatDoesNotFitIsRefusedByName) {
  std::mt19937 random(2);
  const auto t = [&](Shape shape) { return random_tensor(shape, random); };
  const auto applied = [&](const TensorsByName& tensors) {
    return error_of([&] {
      WeightsByPart parts = {{"unet", index_of(source_of({{"m.weight", t({4, 6})}}, "model"))}};
      const LoraUse use = lora(source_of(tensors, "lora.safetensors"));
      apply_loras({&use, 1}, parts);
    });
  };
  const HostTensor nan = HostTensor::from_floats({}, {{std::nanf("")}});
  const std::string a = "unet.m.lora_A.weight", b = "unet.m.lora_B.weight";
  const std::vector<std::pair<std::string, TensorsByName>> cases = {
      {"unsupported_architecture lora.safetensors  has no LoRA", {{"m.weight", t({4, 6})}}},
      {"unsupported_architecture lora.safetensors unet.x none of the 1 modules",
       {{"unet.x.lora_A.weight", t({2, 6})}, {"unet.x.lora_B.weight", t({4, 2})}}},
      {"shape_mismatch lora.safetensors " + b + " the ranks", {{a, t({2, 6})}, {b, t({4, 3})}}},
      {"shape_mismatch lora.safetensors " + a + " has shape", {{a, t({2, 5})}, {b, t({4, 2})}}},
      {"shape_mismatch lora.safetensors " + b + " has shape", {{a, t({2, 6})}, {b, t({5, 2})}}},
      {"shape_mismatch lora.safetensors " + a + " has shape", {{a, t({2, 6, 3, 3})}, {b, t({4, 2})}}},
      {"shape_mismatch lora.safetensors " + b + " [4, 2, 3, 3] is no factor",
       {{a, t({2, 6})}, {b, t({4, 2, 3, 3})}}},
      {"shape_mismatch lora.safetensors " + a + " [2] is no factor", {{a, t({2})}, {b, t({4, 2})}}},
      {"shape_mismatch lora.safetensors " + a + " [0, 6] has no", {{a, t({0, 6})}, {b, t({4, 0})}}},
      {"missing_tensor lora.safetensors " + a + " the up factor", {{a, t({2, 6})}}},
      {"missing_tensor lora.safetensors " + b + " the down factor", {{b, t({4, 2})}}},
      {"bad_header lora.safetensors unet.m.alpha its alpha",
       {{a, t({2, 6})}, {b, t({4, 2})}, {"unet.m.alpha", nan}}},
      {"shape_mismatch lora.safetensors unet.m.alpha an alpha",
       {{a, t({2, 6})}, {b, t({4, 2})}, {"unet.m.alpha", t({2})}}},
      {"shape_mismatch lora.safetensors unet.m.diff has shape", {{"unet.m.diff", t({6, 4})}}},
      {"duplicate lora.safetensors unet.m.lora_down.weight it is there twice",
       {{a, t({2, 6})}, {b, t({4, 2})}, {"unet.m.lora_down.weight", t({2, 6})}}},
      {"unsupported lora.safetensors unet.m.hada_w1_a is a LoHa", {{"unet.m.hada_w1_a", t({4, 2})}}},
      {"unsupported lora.safetensors unet.m.dora_scale is a DoRA",
       {{a, t({2, 6})}, {b, t({4, 2})}, {"unet.m.dora_scale", t({4, 1})}}},
  };
  for (const auto& [expected, tensors] : cases) {
    const std::string error = applied(tensors);
    EXPECT_TRUE(error.starts_with(expected)) << error << "\nexpected " << expected;
  }
}

TEST(Lora, AFileThatShrankSaysSo) {
  const std::string bytes = testing::read_fixture_bytes("lora/peft.safetensors");
  const auto cut = std::make_shared<OwnedSource>("cut", bytes.substr(0, bytes.size() - 100));
  EXPECT_TRUE(error_of([&] { read_lora_file(cut); }).starts_with("truncated cut"));
}

}  // namespace
}  // namespace snug
