// What is known of a model after opening it: from a folder, from a single file with and without configuration
// files, and with another autoencoder in its place.
#include "models/describe_model.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "models/model_graphs.h"
#include "tests/fixtures.h"
#include "weights/checkpoint.h"
#include "weights/manifest_checkpoint.h"

namespace snug {
namespace {

std::string sd15_folder() { return testing::fixtures_dir() + "/sd15-tiny/model"; }
std::string sd15_file() { return testing::fixtures_dir() + "/sd15-tiny/single-file/model.safetensors"; }
std::string embedded_folder() { return SNUG_SOURCE_DIR "/models/tiny-landscapes"; }

template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorCode::kInternal, "");
}

TEST(DescribeModel, FolderSaysEverything) {
  const ModelDescription model = describe_model(open_checkpoint(sd15_folder()));
  EXPECT_EQ(model.architecture->name, "stable_diffusion");
  EXPECT_EQ(model.latent_channels, 4);
  EXPECT_EQ(model.latent_factor, 8);
  EXPECT_FLOAT_EQ(model.scaling_factor, 0.18215F);
  EXPECT_EQ(model.native_size_px, 512);
  EXPECT_EQ(model.prediction_type, "epsilon");
  EXPECT_NE(model.scheduler.text.find("PNDMScheduler"), std::string::npos);
  EXPECT_TRUE(model.assumptions.empty());
  EXPECT_EQ(encoder_output(model), EncoderOutput::kMoments);
  const ParameterCounts counts = count_parameters(model);
  EXPECT_EQ(counts.text_encoders, 174560);
  EXPECT_EQ(counts.unet, 930396);
  EXPECT_EQ(counts.vae, 391687);
}

TEST(DescribeModel, EmbeddedModelHasItsOwnFactorAndAutoencoder) {
  const ModelDescription model = describe_model(open_checkpoint(embedded_folder()));
  EXPECT_TRUE(std::holds_alternative<AutoencoderTinyConfig>(model.vae));
  EXPECT_EQ(encoder_output(model), EncoderOutput::kLatents);
  EXPECT_EQ(model.latent_factor, 4);
  EXPECT_EQ(model.native_size_px, 128);
  EXPECT_NEAR(model.scaling_factor, 1.5113331, 1e-6);
  check_weights(model);
}

TEST(DescribeModel, SingleFileWithConfigurationsIsTheFolder) {
  const ModelDescription folder = describe_model(open_checkpoint(sd15_folder()));
  DescribeOptions options;
  options.configs = open_folder(sd15_folder());
  const ModelDescription file = describe_model(open_checkpoint(sd15_file()), options);
  EXPECT_EQ(file.unet.groups, 8);
  EXPECT_EQ(file.unet.levels.front().heads, 4);
  EXPECT_EQ(file.text_encoders.front().config.heads, 4);
  EXPECT_EQ(file.scheduler.text, folder.scheduler.text);
  EXPECT_TRUE(file.assumptions.empty());
  const ParameterCounts counts = count_parameters(file);
  EXPECT_EQ(counts.text_encoders, 174560);
  EXPECT_EQ(counts.unet, 930396);
  EXPECT_EQ(counts.vae, 391687);
}

// Its widths are nobody's, so 32 norm groups cannot be assumed: the message says where to get the number.
TEST(DescribeModel, SingleFileOfUnknownWidthsAsksForConfigurations) {
  const Error error = error_of([] { describe_model(open_checkpoint(sd15_file())); });
  EXPECT_EQ(error.code(), ErrorCode::kBadConfig);
  EXPECT_NE(error.fix().find("--model-config"), std::string::npos) << error.what();
}

TEST(DescribeModel, AnotherAutoencoderTakesThePlace) {
  const Checkpoint checkpoint = open_checkpoint(sd15_folder());
  const CheckpointPart own = open_checkpoint_part(sd15_folder() + "/vae", "vae");
  const ModelDescription model = describe_model(checkpoint, {.configs = nullptr, .vae = &own});
  EXPECT_EQ(model.latent_factor, 8);
  check_weights(model);

  const CheckpointPart other = open_checkpoint_part(embedded_folder(), "vae");
  const Error error = error_of([&] { describe_model(checkpoint, {.configs = nullptr, .vae = &other}); });
  EXPECT_EQ(error.code(), ErrorCode::kBadConfig);
}

// The counts are those that the manifests' index states (and published_sizes_test.cc finds by itself).
TEST(DescribeModel, ManifestsOfAPublishedModelSayWhatItsFilesWould) {
  const std::string folder = testing::fixtures_dir() + "/manifests";
  const auto components = testing::read_fixture_json("manifests/index.json").at("components");
  const auto parameters = [&](const char* name) {
    return components.at(name).at("published_parameters").get<int64_t>();
  };
  const ModelDescription parts = describe_model(open_manifests(folder + "/sd15"));
  const ModelDescription whole = describe_model(open_manifests(folder + "/sd15.single_file.json"));
  for (const ModelDescription& model : {parts, whole}) {
    check_weights(model);
    EXPECT_EQ(model.title, "Stable Diffusion 1.x");
    EXPECT_EQ(model.native_size_px, 512);
    const ParameterCounts counts = count_parameters(model);
    EXPECT_EQ(counts.unet, parameters("sd15.unet"));
    EXPECT_EQ(counts.text_encoders, parameters("sd15.text_encoder"));
    EXPECT_EQ(counts.vae, parameters("sd15.vae"));
  }
}

std::string sdxl_folder() { return testing::fixtures_dir() + "/sdxl-tiny"; }

TEST(DescribeModel, FolderOfTwoTextEncodersSaysEverything) {
  const ModelDescription model = describe_model(open_checkpoint(sdxl_folder()));
  EXPECT_EQ(model.architecture->name, "stable_diffusion_xl");
  EXPECT_EQ(model.title, "Stable Diffusion XL");
  EXPECT_EQ(model.text_encoders.size(), 2u);
  EXPECT_EQ(model.text_channels(), 32 + 48);
  EXPECT_EQ(model.pooled_channels(), 48);
  EXPECT_EQ(model.unet.added.numbers, 6);
  EXPECT_TRUE(model.zeros_without_negative);
  EXPECT_FLOAT_EQ(model.scaling_factor, 0.13025F);
  EXPECT_TRUE(model.assumptions.empty());
  check_weights(model);
}

TEST(DescribeModel, SingleFileOfTwoTextEncodersIsTheFolder) {
  DescribeOptions options;
  options.configs = open_folder(sdxl_folder());
  const ModelDescription file =
      describe_model(open_checkpoint(sdxl_folder() + "/single_file_fp16.safetensors"), options);
  EXPECT_EQ(file.title, "Stable Diffusion XL");
  EXPECT_TRUE(file.zeros_without_negative);
  check_weights(file);
  const ModelDescription folder = describe_model(open_checkpoint(sdxl_folder()));
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(file.text_encoders[i].weights->names(), folder.text_encoders[i].weights->names());
  }
  EXPECT_EQ(file.unet_weights->names(), folder.unet_weights->names());
}

TEST(DescribeModel, ManifestsOfXlSayWhatItsFilesWould) {
  const std::string folder = testing::fixtures_dir() + "/manifests";
  const auto components = testing::read_fixture_json("manifests/index.json").at("components");
  const auto parameters = [&](const char* name) {
    return components.at(name).at("published_parameters").get<int64_t>();
  };
  // The first encoder's last layer and norm are not used.
  constexpr int64_t kLayer = 4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768;
  const ModelDescription parts = describe_model(open_manifests(folder + "/sdxl"));
  const ModelDescription whole = describe_model(open_manifests(folder + "/sdxl.single_file.json"));
  for (const ModelDescription& model : {parts, whole}) {
    EXPECT_EQ(model.title, "Stable Diffusion XL");
    EXPECT_EQ(model.native_size_px, 1024);
    EXPECT_FLOAT_EQ(model.scaling_factor, 0.13025F);
    EXPECT_EQ(model.unet.added.numbers, 6);
    EXPECT_EQ(model.unet.levels[2].transformer_layers, 10);
    EXPECT_EQ(model.unet.levels[2].heads, 20);
    const ParameterCounts counts = count_parameters(model);
    EXPECT_EQ(counts.unet, parameters("sdxl.unet"));
    EXPECT_EQ(counts.text_encoders,
              parameters("sdxl.text_encoder") - kLayer - 2 * 768 + parameters("sdxl.text_encoder_2"));
    EXPECT_EQ(counts.vae, parameters("sdxl.vae"));
  }
}

TEST(DescribeModel, PartsOfAnotherXlAreRefused) {
  const Checkpoint good = open_checkpoint(sdxl_folder());
  Checkpoint absent = good;
  absent.parts.erase("text_encoder_2");
  EXPECT_EQ(error_of([&] { describe_model(absent); }).code(), ErrorCode::kMissingFile);
  // Without its first encoder it would be a refiner, whose UNet takes a narrower text.
  Checkpoint lonely = good;
  lonely.parts.erase("text_encoder");
  EXPECT_EQ(error_of([&] { describe_model(lonely); }).code(), ErrorCode::kBadConfig);
  Checkpoint narrow = good;
  std::string& config = narrow.parts.at("unet").config_text;
  const std::string width = "\"projection_class_embeddings_input_dim\": 96";
  ASSERT_NE(config.find(width), std::string::npos);
  config.replace(config.find(width), width.size(), "\"projection_class_embeddings_input_dim\": 80");
  const Error error = error_of([&] { describe_model(narrow); });
  EXPECT_EQ(error.code(), ErrorCode::kBadConfig);
  EXPECT_NE(error.problem().find("added embedding"), std::string::npos) << error.what();
}

// A score in place of the target's size: five numbers.
TEST(DescribeModel, RefinerIsToldByItsWidths) {
  Checkpoint checkpoint = open_checkpoint(sdxl_folder());
  checkpoint.parts.erase("text_encoder");
  std::string& config = checkpoint.parts.at("unet").config_text;
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"input_dim\": 96", "input_dim\": 88"},
                                 {"attention_dim\": 80", "attention_dim\": 48"}}) {
    ASSERT_NE(config.find(from), std::string::npos);
    config.replace(config.find(from), from.size(), to);
  }
  checkpoint.flags.clear();
  const ModelDescription model = describe_model(checkpoint);
  EXPECT_EQ(model.title, "Stable Diffusion XL refiner");
  EXPECT_EQ(model.unet.added.numbers, 5);
  EXPECT_FALSE(model.zeros_without_negative);
}

TEST(DescribeModel, ManifestsOfWanSayWhichOfThemTheyAre) {
  const std::string folder = testing::fixtures_dir() + "/manifests";
  const auto index = testing::read_fixture_json("manifests/index.json").at("models");
  for (const auto& [name, title] : {std::pair{"wan22_t2v_a14b", "Wan 2.2, text to video"},
                                    {"wan22_i2v_a14b", "Wan 2.2, image to video"},
                                    {"wan22_ti2v_5b", "Wan 2.2, text and image to video"}}) {
    SCOPED_TRACE(name);
    const ModelDescription model = describe_model(open_manifests(folder + "/" + name));
    ASSERT_TRUE(model.video.has_value());
    EXPECT_EQ(model.title, title);
    const auto& stated = index.at(name);
    EXPECT_EQ(model.video->experts.size(), stated.at("components").contains("transformer_2") ? 2U : 1U);
    EXPECT_EQ(model.video->boundary_ratio, stated.value("boundary_ratio", 0.0));
    EXPECT_EQ(model.video->first_frame_has_time, stated.value("expand_timesteps", false));
  }
}

TEST(DescribeModel, ManifestsOfOtherArchitecturesAreRefusedAsSuch) {
  const TemporaryFolder place;
  std::ofstream(place.path("flux1_dev.transformer.json"))
      << R"({"class": "FluxTransformer2DModel", "config": {"guidance_embeds": true},)"
      << R"( "tensors": {"x_embedder.weight": ["BF16", [3072, 64]]}})";
  std::vector<std::string> models = {place.path("flux1_dev")};
  // The whole set of fixtures has the whole model.
  const std::string whole = testing::fixtures_dir() + "/manifests/flux1_dev";
  if (std::filesystem::exists(whole + ".transformer.json")) models.push_back(whole);
  for (const std::string& model : models) {
    EXPECT_EQ(error_of([&] { describe_model(open_manifests(model)); }).code(),
              ErrorCode::kUnsupportedArchitecture)
        << model;
  }
}

TEST(DescribeModel, TokenizerMustFitTheTable) {
  const ModelDescription model = describe_model(open_checkpoint(sd15_folder()));
  const TextEncoder& encoder = model.text_encoders.front();
  check_tokenizer(model, encoder, 885, 77);
  EXPECT_EQ(error_of([&] { check_tokenizer(model, encoder, 886, 77); }).code(), ErrorCode::kShapeMismatch);
  EXPECT_EQ(error_of([&] { check_tokenizer(model, encoder, 885, 64); }).code(), ErrorCode::kShapeMismatch);
}

TEST(DescribeModel, ClipSkipBeyondTheLayersIsRefused) {
  const ModelDescription model = describe_model(open_checkpoint(sd15_folder()));
  const Error error =
      error_of([&] { text_encoder_graph(model.text_encoders.front(), {.chunks = 1, .skipped_layers = 3}); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace snug
