// Every part of Stable Diffusion XL against the values that PyTorch computes with it (fixture sdxl-tiny,
// whose README states the tolerances): outputs and what is inside. Each comparison prints its worst error.
#include <cstdio>

#include <gtest/gtest.h>

#include "graph/passes/passes.h"
#include "models/describe_model.h"
#include "models/model_graphs.h"
#include "tests/fixtures.h"
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

constexpr double kTolerance = 1e-4;  // of the fixture's README, for all parts

class SdxlParts : public ::testing::TestWithParam<const char*> {
 protected:
  const Backend& backend() const {
    return std::string_view(GetParam()) == "reference" ? reference_backend() : cpu_backend();
  }
  void expect_close(const std::string& what, const HostTensor& actual, const HostTensor& expected) {
    ASSERT_EQ(actual.shape().elements(), expected.shape().elements()) << what;
    const double worst = testing::worst_difference(actual.floats(), expected.to_f32().floats());
    std::printf("parity sdxl %s on %s: worst %.2g (tolerance %.2g)\n", what.c_str(), GetParam(), worst,
                kTolerance);
    EXPECT_LE(worst, kTolerance) << what;
  }
  Tensors run(const Graph& graph, const WeightIndex& index, const Tensors& inputs,
              const std::vector<std::string>& taps = {}) const {
    return interpret(graph, backend(), inputs, weights_of(graph, index), taps);
  }
};

ModelDescription sdxl() { return describe_model(open_checkpoint(testing::fixtures_dir() + "/sdxl-tiny")); }

// Of the projected rows those at the first end token, as pipeline/encode_text.cc takes them.
HostTensor at_end_token(const HostTensor& projected, const HostTensor& ids) {
  constexpr float kEndToken = 713;
  const Shape& shape = projected.shape();
  HostTensor rows(DType::kF32, {shape[0], shape[2]});
  const HostTensor numbers = ids.to_f32();
  for (int64_t n = 0; n < shape[0]; ++n) {
    const auto chunk =
        numbers.floats().subspan(static_cast<size_t>(n * shape[1]), static_cast<size_t>(shape[1]));
    const int64_t end = std::find(chunk.begin(), chunk.end(), kEndToken) - chunk.begin();
    std::copy_n(projected.floats().begin() + (n * shape[1] + end) * shape[2], shape[2],
                rows.floats().begin() + n * shape[2]);
  }
  return rows;
}

TEST_P(SdxlParts, TextEncoders) {
  const ModelDescription model = sdxl();
  const Tensors golden = read_fixture("sdxl-tiny/cases/text.safetensors");
  for (size_t i = 0; i < 2; ++i) {
    const TextEncoder& encoder = model.text_encoders[i];
    const std::string number = std::to_string(i + 1);
    const HostTensor& ids = golden.at("input_ids." + number);
    const int64_t texts = ids.shape()[0];
    const Graph graph = text_encoder_graph(encoder, encoder.request(texts, 0));
    // By the fixture's names. The penultimate states are an output, under its own.
    std::map<std::string, std::string> taps = {{"hidden." + number + ".0", "text_model.embeddings"}};
    for (int64_t layer = 0; layer < encoder.config.layers - 2; ++layer) {
      taps["hidden." + number + "." + std::to_string(layer + 1)] =
          "text_model.encoder.layers." + std::to_string(layer);
    }
    if (encoder.pooled) {
      const std::string last = std::to_string(encoder.config.layers);
      taps["hidden." + number + "." + last] =
          "text_model.encoder.layers." + std::to_string(encoder.config.layers - 1);
      taps["last." + number] = "text_model.final_layer_norm";
    }
    std::vector<std::string> values;
    for (const auto& [name, value] : taps) values.push_back(value);
    const Tensors out = run(graph, *encoder.weights, {{"input_ids", as_ids(ids)}}, values);
    for (const auto& [name, value] : taps) expect_close("text " + name, out.at(value), golden.at(name));
    expect_close("text states " + number, out.at("conditioning"),
                 golden.at("hidden." + number + "." + std::to_string(encoder.config.layers - 1)));
    if (!encoder.pooled) continue;
    expect_close("text vector", at_end_token(out.at("projected"), ids), golden.at("text_embeds"));
  }
}

TEST_P(SdxlParts, ClipSkipTakesEarlierStatesAndTheSameVector) {
  const ModelDescription model = sdxl();
  const Tensors golden = read_fixture("sdxl-tiny/cases/text.safetensors");
  const TextEncoder& encoder = model.text_encoders[1];
  const HostTensor& ids = golden.at("input_ids.2");
  const Graph graph = text_encoder_graph(encoder, encoder.request(ids.shape()[0], 1));
  const Tensors out = run(graph, *encoder.weights, {{"input_ids", as_ids(ids)}});
  expect_close("text clip skip", out.at("conditioning"), golden.at("hidden.2.2"));
  expect_close("text vector", at_end_token(out.at("projected"), ids), golden.at("text_embeds"));
}

// diffusers names a resampler by its module, the graph by the convolution in it.
std::string value_of_tap(const std::string& name) {
  return name.ends_with("samplers.0") ? name + ".conv" : name;
}

TEST_P(SdxlParts, Unet) {
  const ModelDescription model = sdxl();
  const Tensors golden = read_fixture("sdxl-tiny/cases/unet_step.safetensors");
  const Graph graph = unet_graph(model, {.batch = 2, .height = 8, .width = 12, .timesteps = 2});
  std::vector<std::string> taps;
  for (const auto& [name, tensor] : golden) {
    if (name.starts_with("tap.") && name != "tap.conv_out") taps.push_back(value_of_tap(name.substr(4)));
  }
  EXPECT_GE(taps.size(), 80u);
  const Tensors inputs = {
      {"latents", golden.at("sample")},
      {"timestep", golden.at("timestep").to_f32()},
      {"conditioning", golden.at("encoder_hidden_states")},
      {"text_embeds", golden.at("text_embeds")},
      {"time_ids", HostTensor::from_floats({12}, golden.at("time_ids").to_f32().floats())}};
  const Tensors out = run(graph, *model.unet_weights, inputs, taps);
  for (const auto& [name, tensor] : golden) {
    if (!name.starts_with("tap.") || name == "tap.conv_out") continue;
    expect_close("unet " + name, out.at(value_of_tap(name.substr(4))), tensor);
  }
  expect_close("unet out", out.at("model_output"), golden.at("out"));
  const Graph fused = run_passes(graph, true);
  EXPECT_LT(fused.nodes().size(), graph.nodes().size());
  expect_close("unet out after passes", run(fused, *model.unet_weights, inputs).at("model_output"),
               golden.at("out"));
}

// A timestep that the batch shares is added to what each picture has of its own.
TEST_P(SdxlParts, UnetWithOneTimestepForTheBatch) {
  const ModelDescription model = sdxl();
  const Tensors golden = read_fixture("sdxl-tiny/cases/unet_step.safetensors");
  const auto output = [&](int64_t timesteps) {
    const Graph graph = unet_graph(model, {.batch = 2, .height = 8, .width = 12, .timesteps = timesteps});
    const std::vector<float> times(static_cast<size_t>(timesteps), 601.5F);
    return run(graph, *model.unet_weights,
               {{"latents", golden.at("sample")},
                {"timestep", HostTensor::from_floats({timesteps}, times)},
                {"conditioning", golden.at("encoder_hidden_states")},
                {"text_embeds", golden.at("text_embeds")},
                {"time_ids", HostTensor::from_floats({12}, golden.at("time_ids").to_f32().floats())}})
        .at("model_output");
  };
  expect_close("unet shared timestep", output(1), output(2));
}

TEST_P(SdxlParts, VaeDecoder) {
  const ModelDescription model = sdxl();
  const Tensors golden = read_fixture("sdxl-tiny/cases/vae_decode.safetensors");
  const std::map<std::string, std::string> taps = {
      {"decoder.conv_in", "decoder.conv_in"},
      {"decoder.mid_block.attentions.0", "decoder.mid_block.attentions.0"},
      {"decoder.mid_block.resnets.1", "decoder.mid_block.resnets.1"},
      {"decoder.up_blocks.0", "decoder.up_blocks.0.upsamplers.0.conv"},
      {"decoder.up_blocks.1", "decoder.up_blocks.1.upsamplers.0.conv"},
      {"decoder.up_blocks.2", "decoder.up_blocks.2.upsamplers.0.conv"},
      {"decoder.up_blocks.3", "decoder.up_blocks.3.resnets.2"},
      {"decoder.conv_norm_out", "decoder.conv_norm_out"},
  };
  std::vector<std::string> values;
  for (const auto& [tap, value] : taps) values.push_back(value);
  HostTensor latents = golden.at("latents");
  for (float& value : latents.floats()) value /= model.scaling_factor;
  const Tensors out =
      run(vae_decoder_graph(model, {1, 8, 12}), *model.vae_weights, {{"latents", latents}}, values);
  for (const auto& [tap, value] : taps) expect_close("vae " + tap, out.at(value), golden.at("tap." + tap));
  expect_close("vae image", out.at("image"), golden.at("out"));
}

TEST_P(SdxlParts, VaeEncoder) {
  const ModelDescription model = sdxl();
  const Tensors golden = read_fixture("sdxl-tiny/cases/vae_encode.safetensors");
  const std::map<std::string, std::string> taps = {
      {"encoder.conv_in", "encoder.conv_in"},
      {"encoder.down_blocks.0", "encoder.down_blocks.0.downsamplers.0.conv"},
      {"encoder.down_blocks.2", "encoder.down_blocks.2.downsamplers.0.conv"},
      {"encoder.mid_block.resnets.1", "encoder.mid_block.resnets.1"},
  };
  std::vector<std::string> values;
  for (const auto& [tap, value] : taps) values.push_back(value);
  const Tensors out = run(vae_encoder_graph(model, {1, 64, 96}), *model.vae_weights,
                          {{"image", testing::encoder_image(golden.at("image"))}}, values);
  for (const auto& [tap, value] : taps) expect_close("vae " + tap, out.at(value), golden.at("tap." + tap));
  const HostTensor& moments = out.at("moments");
  expect_close("vae mean", channels_of(moments, 0, 4), golden.at("mean"));
  HostTensor logvar = channels_of(moments, 4, 4);
  for (float& value : logvar.floats()) value = std::clamp(value, -30.0F, 20.0F);
  expect_close("vae logvar", logvar, golden.at("logvar"));
}

// The same weights in float16, under other names; the projection lies there by its columns.
TEST_P(SdxlParts, SingleFileHasTheFoldersWeights) {
  if (std::string_view(GetParam()) == "reference") GTEST_SKIP() << "no kernel is run";
  const std::string folder = testing::fixtures_dir() + "/sdxl-tiny";
  DescribeOptions options;
  options.configs = open_folder(folder);
  const ModelDescription file =
      describe_model(open_checkpoint(folder + "/single_file_fp16.safetensors"), options);
  const ModelDescription original = sdxl();
  const auto compare = [](const WeightIndex& half, const WeightIndex& full) {
    for (const std::string& name : full.names()) {
      const auto elements = static_cast<size_t>(full.entry(name).shape.elements());
      ASSERT_EQ(half.entry(name).shape, full.entry(name).shape) << name;
      std::vector<float> a(elements), b(elements);
      half.read_f32(name, 0, a);
      full.read_f32(name, 0, b);
      for (size_t i = 0; i < elements; ++i) {
        ASSERT_NEAR(a[i], b[i], 1e-3F * std::max(0.1F, std::abs(b[i]))) << name << " " << i;
      }
    }
  };
  for (size_t i = 0; i < 2; ++i) {
    compare(*file.text_encoders[i].weights, *original.text_encoders[i].weights);
  }
  compare(*file.unet_weights, *original.unet_weights);
  compare(*file.vae_weights, *original.vae_weights);
}

INSTANTIATE_TEST_SUITE_P(Backends, SdxlParts, ::testing::Values("reference", "cpu"),
                         [](const auto& suite) { return std::string(suite.param); });

}  // namespace
}  // namespace snug
