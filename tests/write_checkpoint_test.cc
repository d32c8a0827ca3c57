// tools/write_checkpoint as a user starts it: the folder that it writes is a model to Snug's own reader,
// equal seeds give equal bytes, and what cannot be written is an error that leaves no model behind.

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "models/describe_model.h"
#include "models/model_graphs.h"
#include "tests/fixtures.h"
#include "tests/program.h"
#include "weights/checkpoint.h"

namespace snug {
namespace {

namespace fs = std::filesystem;
using testing::run_program;
using testing::ScratchFolder;

std::string read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The manifest of a part of a small model in the fixtures, made from its header.
void write_manifest(const std::string& model, const std::string& part, const std::string& weights,
                    const std::string& path) {
  const std::string folder = model + "/" + part;
  const std::string bytes = testing::read_fixture_bytes(folder + "/" + weights);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  nlohmann::json manifest;
  manifest["config"] = testing::read_fixture_json(folder + "/config.json");
  manifest["class"] = testing::read_fixture_json(model + "/model_index.json").at(part).at(1);
  const auto header = nlohmann::json::parse(bytes.substr(sizeof header_bytes, header_bytes));
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") manifest["tensors"][name] = {entry.at("dtype"), entry.at("shape")};
  }
  std::ofstream(path) << manifest;
}

class WriteCheckpoint : public ::testing::Test {
 protected:
  WriteCheckpoint() {
    write_manifest("sd15-tiny/model", "unet", "diffusion_pytorch_model.safetensors",
                   folder_.file("tiny.unet.json"));
    write_manifest("sd15-tiny/model", "vae", "diffusion_pytorch_model.safetensors",
                   folder_.file("tiny.vae.json"));
    write_manifest("sd15-tiny/model", "text_encoder", "model.safetensors",
                   folder_.file("tiny.text_encoder.json"));
  }
  testing::ProgramResult run(std::vector<std::string> more, testing::ProgramOptions options = {}) const {
    std::vector<std::string> arguments = {"--manifest", folder_.file("tiny")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    options.folder = folder_.path();
    return run_program(arguments, options);
  }
  std::string weights(const std::string& model) const {
    return read_bytes(folder_.path() / model / "unet/diffusion_pytorch_model.safetensors");
  }
  ScratchFolder folder_{::testing::UnitTest::GetInstance()->current_test_info()->name()};
};

TEST_F(WriteCheckpoint, WhatItWritesIsAModelToSnug) {
  const auto result = run({"--output", "model", "--dtype", "f16"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.err.find("100 %"), std::string::npos) << result.err;
  const ModelDescription model = describe_model(open_checkpoint(folder_.file("model")));
  check_weights(model);
  EXPECT_EQ(count_parameters(model).unet, 930396);
  EXPECT_EQ(model.unet_weights->entry("conv_in.weight").dtype, DType::kF16);
  EXPECT_TRUE(fs::exists(folder_.path() / "model/tokenizer/vocab.json"));
}

TEST_F(WriteCheckpoint, AWanFolderOfFewTextLayersIsAModelToSnug) {
  const std::string tiny = "wan-tiny-ti2v";
  for (const char* part : {"transformer", "vae", "text_encoder"}) {
    const std::string weights = std::string(part) == "text_encoder" ? "model" : "diffusion_pytorch_model";
    write_manifest(tiny, part, weights + ".safetensors", folder_.file(std::string("wan.") + part + ".json"));
  }
  const std::vector<std::string> arguments = {
      "--manifest", folder_.file("wan"), "--output", folder_.file("wan_model"), "--text-layers", "1", "-q"};
  const auto without = run_program(arguments);
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_NE(without.err.find("--tokenizer"), std::string::npos) << without.err;
  fs::remove_all(folder_.file("wan_model"));
  std::vector<std::string> whole = arguments;
  whole.insert(whole.end(), {"--tokenizer", testing::fixtures_dir() + "/" + tiny + "/tokenizer"});
  const auto result = run_program(whole);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const ModelDescription model = describe_model(open_checkpoint(folder_.file("wan_model")));
  ASSERT_TRUE(model.video);
  EXPECT_EQ(model.video->text.layers, 1);
  EXPECT_TRUE(fs::exists(folder_.file("wan_model/tokenizer/spiece.model")));
}

TEST_F(WriteCheckpoint, ValuesKeepActivationsOfTheOrderOfOne) {
  ASSERT_EQ(run({"--output", "model", "--dtype", "bf16", "-q"}).exit_code, 0);
  const auto weights = open_checkpoint(folder_.file("model")).require("unet").weights;
  for (const std::string& name : weights->names()) {
    const WeightEntry& entry = weights->entry(name);
    std::vector<float> values(static_cast<size_t>(entry.shape.elements()));
    weights->read_f32(name, 0, values);
    double squares = 0;
    for (const float value : values) {
      ASSERT_TRUE(std::isfinite(value)) << name;
      const bool is_norm = entry.shape.rank() == 1 && name.ends_with(".weight");
      ASSERT_TRUE(!is_norm || value > 0.4F) << name;
      squares += static_cast<double>(value) * value;
    }
    if (entry.shape.rank() < 2) continue;
    // Of outputs, for inputs whose root mean square is 1.
    const double gain = std::sqrt(squares / static_cast<double>(entry.shape[0]));
    EXPECT_GT(gain, 0.4) << name;
    EXPECT_LT(gain, 1.2) << name;
  }
}

TEST_F(WriteCheckpoint, EqualSeedsGiveEqualBytesWhateverTheThreads) {
  ASSERT_EQ(run({"--output", "a", "--seed", "7", "-q"}).exit_code, 0);
  ASSERT_EQ(
      run({"--output", "b", "--seed", "7", "-q"}, {.environment = {{"OMP_NUM_THREADS", "1"}}}).exit_code, 0);
  ASSERT_EQ(run({"--output", "c", "--seed", "8", "-q"}).exit_code, 0);
  EXPECT_TRUE(weights("a") == weights("b"));
  EXPECT_FALSE(weights("a") == weights("c"));
  EXPECT_GT(weights("a").size(), 930396u * 4);  // F32, as the manifest says
}

TEST_F(WriteCheckpoint, WhatCannotBeWrittenIsAnErrorAndNoModelIsLeft) {
  const auto full = run({"--output", "full"}, {.file_size_limit = 100'000});
  EXPECT_EQ(full.exit_code, 6) << full.err;
  EXPECT_NE(full.err.find("free some space"), std::string::npos) << full.err;
  EXPECT_FALSE(fs::exists(folder_.path() / "full/model_index.json"));
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path() / "full")) {
    EXPECT_NE(entry.path().extension(), ".partial");
  }
  EXPECT_EQ(run({"--output", "/dev/null/x"}).exit_code, 6);
  EXPECT_EQ(run({"--output", "x", "--dtype", "f8"}).exit_code, 2);
  EXPECT_EQ(run({}).exit_code, 2);
  EXPECT_EQ(run_program({"--manifest", folder_.file("nothing"), "--output", folder_.file("x")}).exit_code, 3);
  ASSERT_EQ(run({"--output", "twice", "-q"}).exit_code, 0);
  EXPECT_EQ(run({"--output", "twice", "-q"}).exit_code, 2);
  EXPECT_NE(run_program({"--help"}).out.find("Example:"), std::string::npos);
}

}  // namespace
}  // namespace snug
