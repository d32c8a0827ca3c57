// Every model part against the values that PyTorch computes with it: outputs and what is inside, on every
// backend. Tolerances are the fixtures' own. Each comparison prints its worst error.
#include <cstdio>

#include <gtest/gtest.h>

#include "graph/passes/passes.h"
#include "models/describe_model.h"
#include "models/model_graphs.h"
#include "tests/fixtures.h"
#include "tests/manifest_weights.h"
#include "tests/part_values.h"
#include "weights/checkpoint.h"

namespace snug {
namespace {

using testing::as_ids;
using testing::channels_of;
using testing::interpret;
using testing::read_fixture;
using testing::Tensors;
using testing::weights_of;

class ModelsParity : public ::testing::TestWithParam<const char*> {
 protected:
  const Backend& backend() const {
    return std::string_view(GetParam()) == "reference" ? reference_backend() : cpu_backend();
  }
  void expect_close(const std::string& what, const HostTensor& actual, const HostTensor& expected,
                    double tolerance) {
    ASSERT_EQ(actual.shape(), expected.shape()) << what;
    const double worst = testing::worst_difference(actual.floats(), expected.to_f32().floats());
    std::printf("parity %s on %s: worst %.2g (tolerance %.2g)\n", what.c_str(), GetParam(), worst, tolerance);
    EXPECT_LE(worst, tolerance) << what;
  }
  Tensors run(const Graph& graph, const WeightIndex& index, const Tensors& inputs,
              const std::vector<std::string>& taps = {}) const {
    return interpret(graph, backend(), inputs, weights_of(graph, index), taps);
  }
};

ModelDescription sd15() {
  return describe_model(open_checkpoint(testing::fixtures_dir() + "/sd15-tiny/model"));
}

nlohmann::json tolerances(const std::string& file) {
  return testing::read_fixture_json("sd15-tiny/cases/tolerance.json").at(file);
}

TEST_P(ModelsParity, TextEncoder) {
  const ModelDescription model = sd15();
  const Tensors golden = read_fixture("sd15-tiny/cases/text_encoder.safetensors");
  const auto tolerance = tolerances("text_encoder.safetensors");
  const Tensors inputs = {{"input_ids", as_ids(golden.at("input_ids"))}};
  const Graph graph = text_encoder_graph(model.text_encoders.front(), {.chunks = 2});
  std::vector<std::string> taps = {"text_model.embeddings"};
  for (int64_t i = 0; i < model.text_encoders.front().config.layers; ++i)
    taps.push_back("text_model.encoder.layers." + std::to_string(i));
  const Tensors out = run(graph, *model.text_encoders.front().weights, inputs, taps);
  for (size_t i = 0; i < taps.size(); ++i) {
    const std::string name = "hidden." + std::to_string(i);
    expect_close("text " + name, out.at(taps[i]), golden.at(name), tolerance.at(name));
  }
  expect_close("text last_hidden_state", out.at("conditioning"), golden.at("last_hidden_state"),
               tolerance.at("last_hidden_state"));
  for (const int64_t skipped : {1, 2}) {
    const Graph shorter =
        text_encoder_graph(model.text_encoders.front(), {.chunks = 2, .skipped_layers = skipped});
    const std::string name = "clip_skip_" + std::to_string(skipped);
    expect_close("text " + name,
                 run(shorter, *model.text_encoders.front().weights, inputs).at("conditioning"),
                 golden.at(name), tolerance.at(name));
  }
}

// The fixture's name of a value inside the UNet, and the graph's.
const std::map<std::string, std::string>& unet_taps() {
  static const std::map<std::string, std::string> taps = {
      {"time_proj", "time_proj"},
      {"time_embedding", "time_embedding"},
      {"conv_in", "conv_in"},
      {"resnet0", "down_blocks.0.resnets.0"},
      {"attn1", "down_blocks.0.attentions.0.transformer_blocks.0.attn1"},
      {"attn2", "down_blocks.0.attentions.0.transformer_blocks.0.attn2"},
      {"ff", "down_blocks.0.attentions.0.transformer_blocks.0.ff"},
      {"block0", "down_blocks.0.attentions.0.transformer_blocks.0"},
      {"transformer0", "down_blocks.0.attentions.0"},
      {"down.0", "down_blocks.0.downsamplers.0.conv"},
      {"down.0.skip.0", "down_blocks.0.attentions.0"},
      {"down.0.skip.1", "down_blocks.0.attentions.1"},
      {"down.0.skip.2", "down_blocks.0.downsamplers.0.conv"},
      {"down.1", "down_blocks.1.downsamplers.0.conv"},
      {"down.1.skip.0", "down_blocks.1.attentions.0"},
      {"down.1.skip.1", "down_blocks.1.attentions.1"},
      {"down.1.skip.2", "down_blocks.1.downsamplers.0.conv"},
      {"down.2", "down_blocks.2.resnets.1"},
      {"down.2.skip.0", "down_blocks.2.resnets.0"},
      {"down.2.skip.1", "down_blocks.2.resnets.1"},
      {"mid", "mid_block.resnets.1"},
      {"up.0", "up_blocks.0.upsamplers.0.conv"},
      {"up.1", "up_blocks.1.upsamplers.0.conv"},
      {"up.2", "up_blocks.2.attentions.2"},
      {"conv_norm_out", "conv_norm_out"},
  };
  return taps;
}

TEST_P(ModelsParity, Unet) {
  const ModelDescription model = sd15();
  const Tensors golden = read_fixture("sd15-tiny/cases/unet.safetensors");
  const auto tolerance = tolerances("unet.safetensors");
  const Graph graph = unet_graph(model, {.batch = 2, .height = 16, .width = 24, .timesteps = 2});
  std::vector<std::string> taps;
  for (const auto& [name, value] : unet_taps()) taps.push_back(value);
  const Tensors out = run(graph, *model.unet_weights,
                          {{"latents", golden.at("sample")},
                           {"timestep", golden.at("timestep").to_f32()},
                           {"conditioning", golden.at("encoder_hidden_states")}},
                          taps);
  for (const auto& [name, value] : unet_taps()) {
    const std::string tap = "tap." + name;
    expect_close("unet " + tap, out.at(value), golden.at(tap), tolerance.at(tap));
  }
  expect_close("unet out", out.at("model_output"), golden.at("out"), tolerance.at("out"));
  // Nothing in the fixture goes unlooked at.
  for (const auto& [name, tensor] : golden) {
    EXPECT_TRUE(!name.starts_with("tap.") || unet_taps().count(name.substr(4)) == 1) << name;
  }
}

TEST_P(ModelsParity, UnetAtSizesThatItsLevelsDoNotDivide) {
  const ModelDescription model = sd15();
  const Tensors golden = read_fixture("sd15-tiny/cases/unet.safetensors");
  const Graph graph = unet_graph(model, {.batch = 2, .height = 10, .width = 13, .timesteps = 2});
  const Tensors out = run(graph, *model.unet_weights,
                          {{"latents", golden.at("odd.sample")},
                           {"timestep", golden.at("odd.timestep")},
                           {"conditioning", golden.at("odd.encoder_hidden_states")}});
  expect_close("unet odd.out", out.at("model_output"), golden.at("odd.out"),
               tolerances("unet.safetensors").at("odd.out"));
}

// A timestep that the batch shares gives what the same timestep for each gives.
TEST_P(ModelsParity, UnetWithOneTimestepForTheBatch) {
  const ModelDescription model = sd15();
  const Tensors golden = read_fixture("sd15-tiny/cases/unet.safetensors");
  const auto output = [&](int64_t timesteps) {
    const Graph graph = unet_graph(model, {.batch = 2, .height = 10, .width = 13, .timesteps = timesteps});
    const std::vector<float> times(static_cast<size_t>(timesteps), 601.5F);
    return run(graph, *model.unet_weights,
               {{"latents", golden.at("odd.sample")},
                {"timestep", HostTensor::from_floats({timesteps}, times)},
                {"conditioning", golden.at("odd.encoder_hidden_states")}})
        .at("model_output");
  };
  expect_close("unet shared timestep", output(1), output(2), 1e-5);
}

// SD2.x projects by matrices where SD1.x has 1x1 convolutions: the same numbers, so the same values.
TEST_P(ModelsParity, UnetWithLinearProjections) {
  ModelDescription model = sd15();
  const Tensors golden = read_fixture("sd15-tiny/cases/unet.safetensors");
  const UnetRequest request{.batch = 2, .height = 10, .width = 13, .timesteps = 2};
  testing::MapWeights source("matrices");
  Tensors weights;
  for (auto& [name, tensor] : weights_of(unet_graph(model, request), *model.unet_weights)) {
    const bool projection = name.ends_with("proj_in.weight") || name.ends_with("proj_out.weight");
    const Shape shape = projection ? Shape{tensor.shape()[0], tensor.shape()[1]} : tensor.shape();
    source.tensors[name] = {DType::kF32, shape};
    weights.emplace(name, HostTensor::from_floats(shape, tensor.floats()));
  }
  model.unet.linear_projection = true;
  Graph graph;
  GraphBuilder b(graph);
  build_unet(b, model.unet, WeightScope(source), request);
  const Tensors inputs = {{"latents", golden.at("odd.sample")},
                          {"timestep", golden.at("odd.timestep")},
                          {"conditioning", golden.at("odd.encoder_hidden_states")}};
  expect_close("unet linear projections", interpret(graph, backend(), inputs, weights).at("model_output"),
               golden.at("odd.out"), tolerances("unet.safetensors").at("odd.out"));
}

TEST_P(ModelsParity, VaeDecoder) {
  const ModelDescription model = sd15();
  const Tensors golden = read_fixture("sd15-tiny/cases/vae.safetensors");
  const auto tolerance = tolerances("vae.safetensors");
  const std::map<std::string, std::string> taps = {
      {"tap.post_quant_conv", "post_quant_conv"},
      {"tap.conv_in", "decoder.conv_in"},
      {"tap.mid.resnet0", "decoder.mid_block.resnets.0"},
      {"tap.mid.attention", "decoder.mid_block.attentions.0"},
      {"tap.mid", "decoder.mid_block.resnets.1"},
      {"tap.up.0", "decoder.up_blocks.0.upsamplers.0.conv"},
      {"tap.up.1", "decoder.up_blocks.1.upsamplers.0.conv"},
      {"tap.up.2", "decoder.up_blocks.2.upsamplers.0.conv"},
      {"tap.up.3", "decoder.up_blocks.3.resnets.2"},
      {"tap.conv_norm_out", "decoder.conv_norm_out"},
  };
  std::vector<std::string> values;
  for (const auto& [tap, value] : taps) values.push_back(value);
  const Tensors out = run(vae_decoder_graph(model, {1, 6, 8}), *model.vae_weights,
                          {{"latents", golden.at("latents")}}, values);
  for (const auto& [tap, value] : taps) {
    expect_close("vae " + tap, out.at(value), golden.at(tap), tolerance.at(tap));
  }
  expect_close("vae image", out.at("image"), golden.at("image"), tolerance.at("image"));
  if (std::string_view(GetParam()) == "reference") return;  // takes it too long
  const Tensors large = run(vae_decoder_graph(model, {1, 24, 40}), *model.vae_weights,
                            {{"latents", golden.at("large.latents")}});
  expect_close("vae large.image", large.at("image"), golden.at("large.image"), tolerance.at("large.image"));
}

TEST_P(ModelsParity, VaeEncoder) {
  const ModelDescription model = sd15();
  const Tensors golden = read_fixture("sd15-tiny/cases/vae.safetensors");
  const auto tolerance = tolerances("vae.safetensors");
  const std::map<std::string, std::string> taps = {
      {"enc_tap.conv_in", "encoder.conv_in"},
      {"enc_tap.down.0", "encoder.down_blocks.0.downsamplers.0.conv"},
      {"enc_tap.down.1", "encoder.down_blocks.1.downsamplers.0.conv"},
      {"enc_tap.down.2", "encoder.down_blocks.2.downsamplers.0.conv"},
      {"enc_tap.down.3", "encoder.down_blocks.3.resnets.1"},
      {"enc_tap.mid", "encoder.mid_block.resnets.1"},
      {"enc_tap.conv_out", "encoder.conv_out"},
  };
  std::vector<std::string> values;
  for (const auto& [tap, value] : taps) values.push_back(value);
  const Tensors out = run(vae_encoder_graph(model, {1, 48, 64}), *model.vae_weights,
                          {{"image", golden.at("enc_image")}}, values);
  for (const auto& [tap, value] : taps) {
    expect_close("vae " + tap, out.at(value), golden.at(tap), tolerance.at(tap));
  }
  const HostTensor& moments = out.at("moments");
  expect_close("vae mean", channels_of(moments, 0, 4), golden.at("mean"), tolerance.at("mean"));
  HostTensor logvar = channels_of(moments, 4, 4);
  for (float& value : logvar.floats()) value = std::clamp(value, -30.0F, 20.0F);
  expect_close("vae logvar", logvar, golden.at("logvar"), tolerance.at("logvar"));
}

TEST_P(ModelsParity, TinyAutoencoder) {
  const ModelDescription model = describe_model(open_checkpoint(SNUG_SOURCE_DIR "/models/tiny-landscapes"));
  const Tensors golden = read_fixture("tiny-model/expected/vae.safetensors");
  constexpr double kTolerance = 1e-4;  // of the fixture's README
  const Tensors decoded =
      run(vae_decoder_graph(model, {1, 24, 40}), *model.vae_weights, {{"latents", golden.at("latents")}});
  expect_close("tiny vae decoded", decoded.at("image"), golden.at("decoded"), kTolerance);
  const Tensors encoded =
      run(vae_encoder_graph(model, {1, 96, 160}), *model.vae_weights, {{"image", golden.at("image")}});
  expect_close("tiny vae encoded", encoded.at("latents"), golden.at("encoded"), kTolerance);
}

// What runs in the end: the same graphs after fusion.
TEST_P(ModelsParity, AfterPasses) {
  const ModelDescription model = sd15();
  const auto check = [&](const std::string& what, const Graph& graph, const WeightIndex& index,
                         const Tensors& inputs, const HostTensor& expected, double tolerance) {
    const Graph fused = run_passes(graph, true);
    EXPECT_LT(fused.nodes().size(), graph.nodes().size());
    const std::string output = graph.value(graph.outputs()[0]).name;
    expect_close(what + " after passes", run(fused, index, inputs).at(output), expected, tolerance);
  };
  const Tensors text = read_fixture("sd15-tiny/cases/text_encoder.safetensors");
  check("text", text_encoder_graph(model.text_encoders.front(), {.chunks = 2}),
        *model.text_encoders.front().weights, {{"input_ids", as_ids(text.at("input_ids"))}},
        text.at("last_hidden_state"), tolerances("text_encoder.safetensors").at("last_hidden_state"));
  const Tensors unet = read_fixture("sd15-tiny/cases/unet.safetensors");
  check("unet", unet_graph(model, {.batch = 2, .height = 10, .width = 13, .timesteps = 2}),
        *model.unet_weights,
        {{"latents", unet.at("odd.sample")},
         {"timestep", unet.at("odd.timestep")},
         {"conditioning", unet.at("odd.encoder_hidden_states")}},
        unet.at("odd.out"), tolerances("unet.safetensors").at("odd.out"));
  const Tensors vae = read_fixture("sd15-tiny/cases/vae.safetensors");
  check("vae", vae_decoder_graph(model, {1, 6, 8}), *model.vae_weights, {{"latents", vae.at("latents")}},
        vae.at("image"), tolerances("vae.safetensors").at("image"));
}

// The same weights in the original layout and float16.
TEST_P(ModelsParity, SingleFile) {
  if (std::string_view(GetParam()) == "reference") GTEST_SKIP() << "the graphs are those of the folder";
  const std::string folder = testing::fixtures_dir() + "/sd15-tiny";
  DescribeOptions options;
  options.configs = open_folder(folder + "/model");
  const ModelDescription model =
      describe_model(open_checkpoint(folder + "/single-file/model.safetensors"), options);
  const Tensors golden = read_fixture("sd15-tiny/single-file/expect.safetensors");
  const auto tolerance = testing::read_fixture_json("sd15-tiny/single-file/tolerance.json");
  const auto tolerance_of = [&](const std::string& name) {
    return (tolerance.contains("expect.safetensors") ? tolerance.at("expect.safetensors") : tolerance)
        .at(name);
  };
  const HostTensor& ids = golden.at("input_ids");
  const Tensors text = run(text_encoder_graph(model.text_encoders.front(), {.chunks = ids.shape()[0]}),
                           *model.text_encoders.front().weights, {{"input_ids", as_ids(ids)}});
  expect_close("single file text", text.at("conditioning"), golden.at("text.last_hidden_state"),
               tolerance_of("text.last_hidden_state"));

  const Shape latents = golden.at("unet.sample").shape();
  const HostTensor timestep = golden.at("unet.timestep").to_f32();
  const Graph unet = unet_graph(
      model,
      {.batch = latents[0], .height = latents[2], .width = latents[3], .timesteps = timestep.elements()});
  const Tensors out = run(unet, *model.unet_weights,
                          {{"latents", golden.at("unet.sample")},
                           {"timestep", HostTensor::from_floats({timestep.elements()}, timestep.floats())},
                           {"conditioning", golden.at("text.last_hidden_state")}});
  expect_close("single file unet", out.at("model_output"), golden.at("unet.out"), tolerance_of("unet.out"));

  const Shape z = golden.at("vae.latents").shape();
  const Tensors image = run(vae_decoder_graph(model, {z[0], z[2], z[3]}), *model.vae_weights,
                            {{"latents", golden.at("vae.latents")}});
  expect_close("single file vae", image.at("image"), golden.at("vae.image"), tolerance_of("vae.image"));
}

INSTANTIATE_TEST_SUITE_P(Backends, ModelsParity, ::testing::Values("reference", "cpu"),
                         [](const auto& suite) { return std::string(suite.param); });

}  // namespace
}  // namespace snug
