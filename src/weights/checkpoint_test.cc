// Folders and single files as users have them: the tiny SD1.5 both ways, the malformed folders as far as
// opening sees them, shards, variants, parts on their own.
#include "weights/checkpoint.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "tensor/convert.h"
#include "tests/fixtures.h"
#include "weights/gguf_file.h"
#include "weights/name_map.h"
#include "weights/safetensors_write.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

std::string fixture(const std::string& relative) { return testing::fixtures_dir() + "/" + relative; }

template <typename Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return {ErrorCode::kInternal, "no error"};
}

std::string word_of_opening(const std::string& path) {
  return std::string(error_of([&] { open_checkpoint(path); }).word());
}

// A folder of its own for each test, removed at the end.
class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(::testing::TempDir()) / (std::string("snug_checkpoint_") + info->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& relative, const std::string& bytes) const {
    const fs::path path = folder_ / relative;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }
  // A copy of the small complete model of the malformed ones.
  std::string copy_good() const {
    fs::copy(fixture("bad/folders/good"), folder_ / "model", fs::copy_options::recursive);
    return (folder_ / "model").string();
  }

  fs::path folder_;
};

std::vector<float> read_all(const WeightIndex& weights, const std::string& name) {
  std::vector<float> values(static_cast<size_t>(weights.entry(name).shape.elements()));
  weights.read_f32(name, 0, values);
  return values;
}

TEST_F(CheckpointTest, SingleFileHoldsTheFolderRoundedToHalf) {
  const Checkpoint folder = open_checkpoint(fixture("sd15-tiny/model"));
  const Checkpoint single = open_checkpoint(fixture("sd15-tiny/single-file/model.safetensors"));
  EXPECT_EQ(folder.kind, CheckpointKind::kFolder);
  EXPECT_EQ(single.kind, CheckpointKind::kSingleFile);
  EXPECT_EQ(single.files, nullptr);
  EXPECT_EQ(single.find("text_encoder")->layout, "clip");
  for (const char* part : {"unet", "vae", "text_encoder"}) {
    const WeightIndex& expected = *folder.require(part).weights;
    const WeightIndex& actual = *single.require(part).weights;
    ASSERT_EQ(actual.names(), expected.names()) << part;
    for (const std::string& name : expected.names()) {
      ASSERT_EQ(actual.entry(name).shape, expected.entry(name).shape) << name;
      std::vector<float> values = read_all(expected, name);
      for (float& value : values) value = f16_to_f32(f32_to_f16(value));
      ASSERT_EQ(read_all(actual, name), values) << part << " " << name;
    }
  }
  EXPECT_NE(std::find(single.unused.begin(), single.unused.end(), "betas"), single.unused.end());
  for (const std::string& name : single.unused) {
    const bool known = name.starts_with("model_ema.") || name == "betas" || name == "alphas_cumprod" ||
                       name.ends_with("position_ids");
    EXPECT_TRUE(known) << name;
  }
}

TEST_F(CheckpointTest, FolderSaysWhatItsFilesSay) {
  const Checkpoint model = open_checkpoint(fixture("sd15-tiny/model"));
  EXPECT_EQ(model.pipeline_class, "StableDiffusionPipeline");
  EXPECT_EQ(model.require("unet").class_name, "UNet2DConditionModel");
  EXPECT_EQ(model.require("unet").library, "diffusers");
  EXPECT_NE(model.require("unet").config_text.find("block_out_channels"), std::string::npos);
  EXPECT_EQ(model.find("scheduler")->class_name, "PNDMScheduler");
  EXPECT_NE(model.find("scheduler")->config_text.find("beta_start"), std::string::npos);
  EXPECT_EQ(model.find("tokenizer")->weights, nullptr);
  EXPECT_EQ(model.find("safety_checker"), nullptr) << "null in model_index.json";
  EXPECT_TRUE(model.files->has("tokenizer/vocab.json"));
  EXPECT_EQ(model.require("unet").weights->total_parameters(), 930396);
  EXPECT_EQ(error_of([&] { model.require("image_encoder"); }).word(), "missing_file");
}

TEST_F(CheckpointTest, TheEmbeddedModelsFolderOpens) {
  const Checkpoint model = open_checkpoint(SNUG_SOURCE_DIR "/models/tiny-landscapes");
  EXPECT_EQ(model.require("vae").class_name, "AutoencoderTiny");
  EXPECT_TRUE(model.require("vae").weights->find("decoder.layers.0.weight").has_value());
}

TEST_F(CheckpointTest, MalformedFoldersGiveAcceptedWordsAsFarAsOpeningSeesThem) {
  // Faults of file structure must show here; the others are for models/ and text/ to find, so that opening
  // either accepts the folder or gives an accepted word.
  const std::set<std::string> seen_here = {"good",        "no_vae_weights", "no_model_index",
                                           "weights_cut", "only_pickle",    "index_leaves_folder"};
  size_t seen = 0;
  for (const auto& row : testing::read_fixture_json("bad/expect.json")) {
    const auto path = row["path"].get<std::string>();
    if (!path.starts_with("folders/")) continue;
    std::string word = word_of_opening(fixture("bad/" + path));
    if (word == "internal") word = "ok";
    const auto accepted = row["accept"].get<std::vector<std::string>>();
    const bool fits = std::find(accepted.begin(), accepted.end(), word) != accepted.end();
    const bool must = seen_here.contains(path.substr(8));
    EXPECT_TRUE(fits || (!must && word == "ok")) << path << " gave " << word;
    seen += must ? 1 : 0;
  }
  EXPECT_EQ(seen, seen_here.size());
}

TEST_F(CheckpointTest, OnlyAPickleSaysHowToConvert) {
  const Error error = error_of([&] { open_checkpoint(fixture("bad/folders/only_pickle")); });
  EXPECT_EQ(error.code(), ErrorCode::kPickleRefused);
  EXPECT_NE(error.fix().find("diffusion_pytorch_model.safetensors"), std::string::npos) << error.fix();
}

TEST_F(CheckpointTest, WrongPathsSaySo) {
  EXPECT_EQ(word_of_opening((folder_ / "absent").string()), "not_found");
  EXPECT_EQ(word_of_opening(folder_.string()), "missing_file");
  EXPECT_EQ(word_of_opening(write("notes.txt", "hello")), "truncated");
  EXPECT_EQ(word_of_opening(write("model.ckpt", "hello, this is no pickle")), "pickle_refused");
  EXPECT_EQ(
      word_of_opening(write("other.safetensors", safetensors_bytes({{"x", HostTensor(DType::kF32, {1})}}))),
      "unsupported_architecture");
}

TEST_F(CheckpointTest, ModelIndexIsNotTrusted) {
  const std::string model = copy_good();
  const auto word_with = [&](const std::string& text) {
    write("model/model_index.json", text);
    return word_of_opening(model);
  };
  EXPECT_EQ(word_with("{"), "bad_config");
  EXPECT_EQ(word_with("[]"), "bad_config");
  EXPECT_EQ(word_with(R"({"_class_name": 5})"), "bad_config");
  EXPECT_EQ(word_with(std::string(100'000, '[')), "bad_config");
  EXPECT_EQ(word_with(R"({"_class_name": "P", "../../etc": ["diffusers", "X"]})"), "path_refused");
  EXPECT_EQ(word_with(R"({"_class_name": "P", "transformer": ["diffusers", "X"]})"), "missing_file");
  EXPECT_EQ(word_with(R"({"_class_name": "P", "safety_checker": ["x", "Y"], "unet": ["diffusers", "X"]})"),
            "internal");
}

TEST_F(CheckpointTest, ShardsAndVariantsAreTheSameModel) {
  const std::string model = copy_good();
  const fs::path unet = fs::path(model) / "unet";
  const Checkpoint whole = open_checkpoint(model);
  const std::vector<std::string> names = whole.require("unet").weights->names();

  // Into two shards, the later of which also holds the first names.
  TensorsByName shards[2];
  nlohmann::json index;
  for (size_t i = 0; i < names.size(); ++i) {
    const HostTensor tensor = HostTensor::from_floats(whole.require("unet").weights->entry(names[i]).shape,
                                                      read_all(*whole.require("unet").weights, names[i]));
    shards[i % 2].emplace(names[i], tensor);
    index["weight_map"][names[i]] = i % 2 == 0 ? "a.safetensors" : "b.safetensors";
  }
  fs::rename(unet / "diffusion_pytorch_model.safetensors", unet / "diffusion_pytorch_model.fp16.safetensors");
  EXPECT_EQ(open_checkpoint(model).require("unet").weights->names(), names) << "a variant";

  fs::remove(unet / "diffusion_pytorch_model.fp16.safetensors");
  write("model/unet/diffusion_pytorch_model.safetensors.index.json", index.dump());
  write("model/unet/a.safetensors", safetensors_bytes(shards[0]));
  EXPECT_EQ(word_of_opening(model), "missing_file") << "a shard is absent";
  write("model/unet/b.safetensors", safetensors_bytes(shards[1]));
  const Checkpoint sharded = open_checkpoint(model);
  EXPECT_EQ(sharded.require("unet").weights->names(), names);
  EXPECT_EQ(sharded.require("unet").weights->files().size(), 2U);
  for (const std::string& name : names) {
    EXPECT_EQ(
        read_all(*sharded.require("unet").weights, name),
        shards[0].contains(name)
            ? std::vector<float>(shards[0].at(name).floats().begin(), shards[0].at(name).floats().end())
            : std::vector<float>(shards[1].at(name).floats().begin(), shards[1].at(name).floats().end()));
  }
  index["weight_map"]["no.such.tensor"] = "a.safetensors";
  write("model/unet/diffusion_pytorch_model.safetensors.index.json", index.dump());
  EXPECT_EQ(word_of_opening(model), "missing_tensor");
  write("model/unet/diffusion_pytorch_model.safetensors.index.json", R"({"weight_map": {"a": 7}})");
  EXPECT_EQ(word_of_opening(model), "bad_config");
}

// A transformer with the names that Wan's makers gave it, in a file with a name of its own: what people have
// from ComfyUI.
TEST_F(CheckpointTest, AFoldersTransformerMayHaveWansOwnNames) {
  const fs::path model = folder_ / "model";
  fs::copy(fixture("wan-tiny-ti2v"), model, fs::copy_options::recursive);
  const auto before = open_checkpoint(model.string()).require("transformer").weights;
  TensorsByName theirs;
  for (const std::string& name : before->names()) {
    const size_t dot = name.ends_with("scale_shift_table") ? name.size() : name.rfind('.');
    const std::string module = name.substr(0, dot);
    theirs.emplace("model.diffusion_model." + original_wan_modules({module}).at(module) + name.substr(dot),
                   HostTensor::from_floats(before->entry(name).shape, read_all(*before, name)));
  }
  fs::remove(model / "transformer/diffusion_pytorch_model.safetensors");
  EXPECT_EQ(word_of_opening(model.string()), "missing_file");
  write("model/transformer/wan2.2_fp32.safetensors", safetensors_bytes(theirs));
  const auto after = open_checkpoint(model.string()).require("transformer").weights;
  EXPECT_EQ(after->names(), before->names());
  for (const std::string& name : before->names()) {
    EXPECT_EQ(after->entry(name).shape, before->entry(name).shape) << name;
    EXPECT_EQ(read_all(*after, name), read_all(*before, name)) << name;
  }
  write("model/transformer/another.gguf", "");
  EXPECT_EQ(word_of_opening(model.string()), "missing_file") << "which of two nobody can tell";
}

TEST_F(CheckpointTest, ATextEncoderWithoutItsPrefixOpens) {
  const std::string model = copy_good();
  const auto original = testing::read_fixture("bad/folders/good/text_encoder/model.safetensors");
  TensorsByName bare;
  for (const auto& [name, tensor] : original)
    bare.emplace(name.substr(std::string("text_model.").size()), tensor);
  const auto names = open_checkpoint(model).require("text_encoder").weights->names();
  write("model/text_encoder/model.safetensors", safetensors_bytes(bare));
  EXPECT_EQ(open_checkpoint(model).require("text_encoder").weights->names(), names);
}

TEST_F(CheckpointTest, OnePartFromAFolderAModelOrAFile) {
  const std::string folder = SNUG_SOURCE_DIR "/models/tiny-landscapes";
  const auto names = open_checkpoint_part(folder, "vae").weights->names();
  const CheckpointPart own_folder = open_checkpoint_part(folder + "/vae", "vae");
  EXPECT_EQ(own_folder.class_name, "AutoencoderTiny");
  EXPECT_EQ(own_folder.weights->names(), names);
  const CheckpointPart file =
      open_checkpoint_part(folder + "/vae/diffusion_pytorch_model.safetensors", "vae");
  EXPECT_EQ(file.weights->names(), names);
  EXPECT_EQ(file.layout, "diffusers");
  EXPECT_EQ(error_of([&] {
              open_checkpoint_part(folder + "/vae/diffusion_pytorch_model.safetensors", "unet");
            }).word(),
            "missing_file");
}

TEST_F(CheckpointTest, TheTinyAutoencoderAsItsAuthorPublishesItOpens) {
  const CheckpointPart vae = open_checkpoint_part(SNUG_SOURCE_DIR "/models/tiny-landscapes", "vae");
  TensorsByName decoder;
  for (const std::string& name : vae.weights->names()) {
    if (!name.starts_with("decoder.layers.")) continue;
    const auto layer = split_number(std::string_view(name).substr(15));
    decoder.emplace(std::to_string(layer->number + 1) + "." + std::string(layer->rest),
                    HostTensor(DType::kF32, vae.weights->entry(name).shape));
  }
  const CheckpointPart file =
      open_checkpoint_part(write("taesd_decoder.safetensors", safetensors_bytes(decoder)), "vae");
  EXPECT_EQ(file.layout, "original_tiny");
  EXPECT_EQ(file.weights->size(), decoder.size());
  for (const std::string& name : file.weights->names()) {
    EXPECT_EQ(file.weights->entry(name).shape, vae.weights->entry(name).shape) << name;
  }
}

TEST_F(CheckpointTest, OpenClipSingleFileSplitsItsProjections) {
  TensorsByName tensors;
  tensors["cond_stage_model.model.token_embedding.weight"] = HostTensor(DType::kF16, {10, 4});
  tensors["cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight"] =
      HostTensor(DType::kF16, {12, 4});
  tensors["cond_stage_model.model.transformer.resblocks.0.attn.in_proj_bias"] = HostTensor(DType::kF16, {12});
  const Checkpoint model = open_checkpoint(write("sd21.safetensors", safetensors_bytes(tensors)));
  EXPECT_EQ(model.find("text_encoder")->layout, "open_clip");
  const WeightIndex& weights = *model.find("text_encoder")->weights;
  EXPECT_EQ(weights.entry("text_model.encoder.layers.0.self_attn.k_proj.weight").shape, (Shape{4, 4}));
  EXPECT_EQ(weights.entry("text_model.encoder.layers.0.self_attn.v_proj.bias").shape, (Shape{4}));
}

TEST_F(CheckpointTest, GgufSingleFileIsTheSameModel) {
  testing::GgufWriter writer;
  writer.add_tensor("model.diffusion_model.input_blocks.0.0.weight", {3, 3, 4, 8}, 1,
                    std::string(8 * 4 * 9 * 2, '\0'));
  writer.add_tensor("model.diffusion_model.time_embed.0.weight", {32, 64}, 8, std::string(64 * 34, '\0'));
  const Checkpoint model = open_checkpoint(write("model.gguf", writer.bytes()));
  const WeightIndex& unet = *model.require("unet").weights;
  EXPECT_EQ(unet.entry("conv_in.weight").shape, (Shape{8, 4, 3, 3}));
  EXPECT_EQ(unet.entry("time_embedding.linear_1.weight").shape, (Shape{64, 32}));
  EXPECT_EQ(unet.entry("time_embedding.linear_1.weight").dtype, DType::kQ8_0);
}

}  // namespace
}  // namespace snug
