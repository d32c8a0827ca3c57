// Whole models with LoRAs: text encoder and UNet against what PyTorch computes with merged weights; pictures
// that are the same to the bit however the weights are streamed, inside the memory that was planned; and the
// model's own picture once the LoRAs are gone.
#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file_tree.h"
#include "graph/passes/passes.h"
#include "media/decode_picture.h"
#include "models/model_graphs.h"
#include "models/wan_transformer/wan_transformer.h"
#include "pipeline/generate.h"
#include "pipeline/host_bytes.h"
#include "pipeline/make_plan.h"
#include "pipeline/parameters.h"
#include "pipeline/validate_request.h"
#include "tests/fixtures.h"
#include "tests/interpret.h"
#include "tests/part_values.h"
#include "weights/diffusers_folder.h"
#include "weights/lora.h"

namespace snug {
namespace {

using testing::as_ids;
using testing::interpret;
using testing::Tensors;
using testing::weights_of;

std::string lora_folder() { return testing::fixtures_dir() + "/lora"; }

RequestFields tiny_model() {
  RequestFields fields;
  fields.model = testing::fixtures_dir() + "/sd15-tiny/model";
  fields.lora_folder = lora_folder();
  return fields;
}

struct ParityCase {
  const char* name;  // in expect.safetensors
  std::vector<std::string> loras;
};

class LoraParity : public ::testing::TestWithParam<ParityCase> {};

TEST_P(LoraParity, TextAndUnetArePyTorchs) {
  const auto expected = testing::read_fixture("lora/expect.safetensors");
  const auto tolerances = testing::read_fixture_json("lora/expect.json").at("tolerance");
  RequestFields fields = tiny_model();
  fields.loras = GetParam().loras;
  const auto model = open_model(fields);
  const auto expect_close = [&](const std::string& name, const HostTensor& actual) {
    const double worst = testing::worst_difference(actual.floats(), expected.at(name).floats());
    const double tolerance = tolerances.at(name).get<double>();
    std::printf("parity %s: worst %.2g (tolerance %.2g)\n", name.c_str(), worst, tolerance);
    EXPECT_LE(worst, tolerance) << name;
  };
  const ModelDescription& description = model->description;
  const Graph text = text_encoder_graph(description.text_encoders.front(), {.chunks = 2});
  const Tensors states = interpret(text, cpu_backend(), {{"input_ids", as_ids(expected.at("input_ids"))}},
                                   weights_of(text, *description.text_encoders.front().weights), {});
  expect_close(std::string(GetParam().name) + ".text", states.at("conditioning"));
  const Graph unet = unet_graph(description, {.batch = 2, .height = 16, .width = 16, .timesteps = 2});
  const Tensors out = interpret(unet, cpu_backend(),
                                {{"latents", expected.at("sample")},
                                 {"timestep", expected.at("timestep").to_f32()},
                                 {"conditioning", states.at("conditioning")}},
                                weights_of(unet, *description.unet_weights), {});
  expect_close(std::string(GetParam().name) + ".unet", out.at("model_output"));
}

INSTANTIATE_TEST_SUITE_P(All, LoraParity,
                         ::testing::Values(ParityCase{"base", {}}, ParityCase{"kohya.1.0", {"kohya"}},
                                           ParityCase{"kohya.0.5", {"kohya:0.5"}},
                                           ParityCase{"peft.1.0", {"peft:1"}},
                                           ParityCase{"peft.0.5", {"peft.safetensors:0.5"}},
                                           ParityCase{"peft.1.0", {"diffusers_old"}},
                                           ParityCase{"peft.0.5", {"diffusers_old:+0.5"}},
                                           ParityCase{"both", {"kohya:0.5", "peft:0.7"}}));

struct WanCase {
  const char* layout;
  double weight;
};

class WanLoraParity : public ::testing::TestWithParam<WanCase> {};

// Wan's trainers name modules as the original code does, diffusers as its own; lightx2v_bias has differences
// of biases and alphas as well.
TEST_P(WanLoraParity, TheTransformerIsPyTorchs) {
  const std::string model = "wan-tiny-t2v";
  const auto tree = open_folder(testing::fixtures_dir() + "/" + model);
  const auto config_file = tree->open("transformer/config.json");
  const WanTransformerConfig config =
      parse_wan_transformer_config({config_file->name(), read_text(*config_file, 1 << 20)});
  WeightsByPart parts = {{"transformer", open_folder_weights(*tree, "transformer")}};
  const std::string layout = GetParam().layout;
  if (GetParam().weight != 0) {
    auto file = open_file(testing::fixtures_dir() + "/" + model + "/lora/" + layout + ".safetensors");
    const LoraUse use{
        layout, GetParam().weight, {}, std::make_shared<LoraFile>(read_lora_file(std::move(file)))};
    EXPECT_TRUE(apply_loras({&use, 1}, parts).front().unused.empty());
  }
  const WeightIndex& index = *parts.at("transformer");
  const auto cases = testing::read_fixture(model + "/cases/lora.safetensors");
  const Shape& x = cases.at("hidden_states").shape();
  WanTransformerRequest request;
  request.frames = x[2];
  request.height = x[3];
  request.width = x[4];
  Graph graph("transformer");
  GraphBuilder builder(graph);
  build_wan_transformer(builder, config, WeightScope(index), request);
  const Tensors out = interpret(run_passes(graph), cpu_backend(),
                                {{"latents", cases.at("hidden_states")},
                                 {"timestep", cases.at("timestep")},
                                 {"conditioning", cases.at("encoder_hidden_states")}},
                                weights_of(graph, index), {});
  const std::string name =
      GetParam().weight == 0 ? "out.base" : fmt::format("out.{}.{:g}", layout, GetParam().weight);
  const double worst = testing::worst_difference(out.at("model_output").floats(), cases.at(name).floats());
  constexpr double kTolerance = 1e-4;
  std::printf("parity %s lora %s: worst %.2g (tolerance %.2g)\n", model.c_str(), name.c_str(), worst,
              kTolerance);
  EXPECT_LE(worst, kTolerance);
}

INSTANTIATE_TEST_SUITE_P(All, WanLoraParity,
                         ::testing::Values(WanCase{"none", 0}, WanCase{"diffusers", 1},
                                           WanCase{"diffusers", 0.5}, WanCase{"lightx2v", 1},
                                           WanCase{"lightx2v", 0.5}, WanCase{"musubi", 1},
                                           WanCase{"musubi", 0.5}, WanCase{"lightx2v_bias", 1},
                                           WanCase{"lightx2v_bias", 0.5}));

RequestFields picture_request() {
  RequestFields fields = tiny_model();
  fields.prompt = "a red sailboat";
  fields.negative_prompt = "rain";
  fields.seed = 5;
  fields.steps = 2;
  fields.width = 64;
  fields.height = 64;
  return fields;
}

std::vector<uint8_t> pixels_of(const std::vector<std::byte>& file) {
  const auto source = view_memory("picture", file);
  return decode_picture(*source).rgb;
}

std::vector<uint8_t> pixels(const RequestFields& fields) {
  return pixels_of(generate(fields, {}).pictures.front());
}

std::string word_of(const RequestFields& fields) {
  try {
    const auto model = open_model(fields);
    validate_request(fields, *model, cpu_backend());
    return "ok";
  } catch (const Error& error) {
    return std::string(error.word());
  }
}

TEST(LoraRequest, PromptsAndTheListMeanTheSame) {
  RequestFields listed = picture_request(), prompted = picture_request();
  const std::vector<uint8_t> plain = pixels(listed);
  listed.loras = {"kohya:0.5", "peft:0.7"};
  prompted.prompt = "a <lora:kohya:0.5>red <lora:peft:0.7>sailboat";
  const std::vector<uint8_t> with_loras = pixels(listed);
  EXPECT_TRUE(with_loras != plain);
  EXPECT_TRUE(pixels(prompted) == with_loras);
  EXPECT_TRUE(pixels(picture_request()) == plain) << "the model's own bits are there again";
}

TEST(LoraRequest, APictureSaysWhatMakesItAgain) {
  RequestFields fields = picture_request();
  fields.loras = {lora_folder() + "/kohya.safetensors:-0.5"};
  fields.lora_files = true;
  fields.prompt += " <lora:peft>";
  const GenerateResult made = generate(fields, {});
  ASSERT_EQ(made.report.loras.size(), 2U);
  EXPECT_EQ(made.report.loras[0].name, "kohya");
  EXPECT_EQ(made.report.loras[0].weight, -0.5);
  EXPECT_EQ(made.report.loras[1].name, "peft");
  EXPECT_GT(made.report.loras[1].modules, 0);
  const auto source = view_memory("picture", made.pictures.front());
  RequestFields again = fields_from_metadata(read_metadata(*source), "picture");
  EXPECT_EQ(again.loras, fields.loras);
  again.lora_folder = lora_folder();
  again.lora_files = true;
  EXPECT_TRUE(generate(again, {}).pictures == made.pictures);
}

TEST(LoraRequest, CachesTellLorasApart) {
  const auto identity = [](const std::vector<std::string>& loras, const std::string& prompt = {}) {
    RequestFields fields = tiny_model();
    fields.loras = loras;
    fields.prompt = prompt;
    const std::string told = model_identity(fields);
    EXPECT_EQ(told, open_model(fields)->identity);
    return told;
  };
  const std::string plain = identity({}), half = identity({"kohya:0.5"});
  EXPECT_NE(half, plain);
  EXPECT_NE(half, identity({"kohya:0.25"}));
  EXPECT_NE(half, identity({"unet=kohya:0.5"}));
  EXPECT_NE(identity({"kohya", "peft"}), identity({"peft", "kohya"}));
  EXPECT_EQ(half, identity({}, "a <lora:kohya:0.5>"));
}

TEST(LoraRequest, TheRoomForFactorsIsPlanned) {
  const RequestFields plain = picture_request();
  RequestFields with = plain;
  with.loras = {"kohya"};
  const auto bytes = [](const RequestFields& fields) {
    const auto model = open_model(fields);
    const Request request = validate_request(fields, *model, cpu_backend());
    const PlannedRun run = run_without_plan(request, *model, cpu_backend(), {});
    return std::pair(host_bytes(request, model->description, run),
                     std::max(model->description.text_encoders.front().weights->update_room_bytes(),
                              model->description.unet_weights->update_room_bytes()));
  };
  EXPECT_EQ(bytes(plain).second, 0U);
  EXPECT_GT(bytes(with).second, 0U);
  EXPECT_EQ(bytes(with).first - bytes(plain).first, bytes(with).second);
}

TEST(LoraRequest, OfAClipChangesItsExpertsAndNotItsText) {
  RequestFields plain;
  plain.model = testing::fixtures_dir() + "/wan-tiny-t2v";
  plain.lora_folder = plain.model + "/lora";
  plain.prompt = "a hill by a lake";
  RequestFields with = plain;
  with.prompt = "a hill <lora:lightx2v_bias:0.5>by a lake";
  const auto changed = [](const RequestFields& fields, size_t expert) {
    return open_model(fields)->description.video->experts[expert]->update_room_bytes() > 0;
  };
  EXPECT_FALSE(changed(plain, 0));
  EXPECT_TRUE(changed(with, 0));
  EXPECT_TRUE(changed(with, 1));
  RequestFields one = plain;
  one.loras = {"transformer_2=musubi"};
  EXPECT_FALSE(changed(one, 0));
  EXPECT_TRUE(changed(one, 1));
  const auto planned = [](const RequestFields& fields) {
    const auto model = open_model(fields);
    const Request request = validate_request(fields, *model, cpu_backend());
    const PlannedRun run = run_without_plan(request, *model, cpu_backend(), {});
    return std::pair(run.clip_prompts.front().ids, host_bytes(request, model->description, run));
  };
  EXPECT_EQ(planned(with).first, planned(plain).first);
  EXPECT_EQ(planned(with).second - planned(plain).second,
            open_model(with)->description.video->experts[0]->update_room_bytes());
}

TEST(LoraRequest, WhatCannotBeDoneIsRefused) {
  const auto with = [](const std::string& lora, const std::string& folder = lora_folder()) {
    RequestFields fields = picture_request();
    fields.loras = {lora};
    fields.lora_folder = folder;
    return word_of(fields);
  };
  EXPECT_EQ(with("kohya"), "ok");
  EXPECT_EQ(with("kohja"), "not_found");
  EXPECT_EQ(with("kohya", ""), "not_found");
  EXPECT_EQ(with(""), "invalid_argument");
  EXPECT_EQ(with(":0.5"), "invalid_argument");
  EXPECT_EQ(with("kohya:1000"), "invalid_argument");
  EXPECT_EQ(with("kohya:nan"), "invalid_argument");
  EXPECT_EQ(with("../lora/kohya"), "path_refused");
  EXPECT_EQ(with(lora_folder() + "/kohya.safetensors"), "path_refused") << "only who runs it names paths";
  EXPECT_EQ(with("expect"), "unsupported_architecture");
  EXPECT_EQ(with("transformer=kohya"), "unsupported_architecture");
  EXPECT_EQ(with("lightx2v", testing::fixtures_dir() + "/wan-tiny-t2v/lora"), "unsupported_architecture");
  RequestFields fields = picture_request();
  fields.prompt += "<lora:/etc/passwd:1>";
  EXPECT_EQ(word_of(fields), "path_refused");
}

TEST(LoraRequest, PicturesThatRunTogetherHaveTheSameLoras) {
  RequestFields fields = picture_request();
  for (const uint64_t seed : {1, 2}) {
    PictureFields& picture = fields.pictures.emplace_back();
    picture.prompt = "a <lora:kohya:0.5>";
    picture.seed = seed;
  }
  EXPECT_EQ(word_of(fields), "ok");
  fields.pictures[1].prompt = "b <lora:kohya:0.6>";
  EXPECT_EQ(word_of(fields), "invalid_argument");
}

}  // namespace
}  // namespace snug
