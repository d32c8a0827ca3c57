// LoRAs on Wan's clips, from the request to the frames: what the plain model of merged weights gives
// (tests/merged_lora.h), for each kind of model and each naming; of two experts on both or on one; the same
// bits in any budget; and the model's own bits once the LoRA is gone.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "pipeline/generate.h"
#include "pipeline/kept_run.h"
#include "pipeline/open_model.h"
#include "pipeline/validate_request.h"
#include "tests/fixtures.h"
#include "tests/merged_lora.h"
#include "tests/run_clip.h"

namespace snug {
namespace {

using testing::ClipOutcome;
using testing::flat_name;
using testing::LoraStyle;
using testing::module_of;
using testing::RandomLora;
using testing::relative_distance;
using testing::worst_difference;

constexpr double kWeight = 0.6;
// Between sums in float and in double, and what a run of several steps makes of that; of levels.
constexpr double kLatentsTolerance = 2e-5, kFrameTolerance = 1;
// What the LoRA itself must change in the latents, which reach about 3.
constexpr double kClearly = 0.05;

std::string folder_of(const std::string& model) { return testing::fixtures_dir() + "/wan-tiny-" + model; }

RequestFields request_of(const std::string& model, const std::string& folder) {
  RequestFields fields;
  fields.model = folder;
  fields.prompt = "a red fox runs through deep snow";
  fields.negative_prompt = "blurry";
  // As large as the fixture's picture, where it has one.
  const auto cases = testing::read_fixture_json("wan-tiny-" + model + "/cases/cases.json");
  const auto& sized = cases.at(model == "t2v" ? "t2v_no_guidance" : "i2v");
  fields.width = sized.at("width").get<int64_t>();
  fields.height = sized.at("height").get<int64_t>();
  fields.frames = 5;
  fields.steps = 6;
  fields.guidance_scale = 4;
  fields.seed = 9;
  if (model == "i2v") fields.image = open_file(folder_of(model) + "/cases/image.png");
  return fields;
}

RequestFields with_lora(RequestFields fields, const std::string& lora) {
  fields.loras = {lora};
  fields.lora_files = true;
  return fields;
}

ClipOutcome run(const RequestFields& fields, uint64_t arena_bytes = UINT64_MAX) {
  const auto model = open_model(fields);
  for (const LoraOutcome& lora : model->loras) EXPECT_EQ(lora.unused, std::vector<std::string>());
  const Request request = validate_request(fields, *model, cpu_backend());
  BatchNoise noise = noise_of(request);
  return testing::run_clip(request, *model, noise, arena_bytes);
}

double worst_latents(const ClipOutcome& a, const ClipOutcome& b) {
  return worst_difference(a.trace.latents.floats(), b.trace.latents.floats());
}

double worst_level(const ClipOutcome& a, const ClipOutcome& b) {
  EXPECT_EQ(a.frames.size(), b.frames.size());
  double worst = 0;
  for (size_t f = 0; f < std::min(a.frames.size(), b.frames.size()); ++f) {
    for (size_t i = 0; i < a.frames[f].rgb.size(); ++i)
      worst = std::max(worst, std::fabs(static_cast<double>(a.frames[f].rgb[i]) - b.frames[f].rgb[i]));
  }
  return worst;
}

// Wan's own name of one of diffusers' modules.
std::string original_name(std::string module) {
  constexpr std::pair<const char*, const char*> kRenamed[] = {
      {"condition_embedder.time_embedder.linear_1", "time_embedding.0"},
      {"condition_embedder.time_embedder.linear_2", "time_embedding.2"},
      {"condition_embedder.time_proj", "time_projection.1"},
      {"condition_embedder.text_embedder.linear_1", "text_embedding.0"},
      {"condition_embedder.text_embedder.linear_2", "text_embedding.2"},
      {"proj_out", "head.head"},
      {"attn1.", "self_attn."},
      {"attn2.", "cross_attn."},
      {".to_q", ".q"},
      {".to_k", ".k"},
      {".to_v", ".v"},
      {".to_out.0", ".o"},
      {"ffn.net.0.proj", "ffn.0"},
      {"ffn.net.2", "ffn.2"},
  };
  for (const auto& [ours, original] : kRenamed) {
    const size_t at = module.find(ours);
    if (at != std::string::npos) module.replace(at, std::strlen(ours), original);
  }
  return module;
}

struct Naming {
  const char* name;
  LoraStyle style;
  std::string (*key)(const std::string& module);
};
constexpr Naming kDiffusers = {"diffusers", LoraStyle::kPeft,
                               [](const std::string& module) { return "transformer." + module; }};
constexpr Naming kOriginal = {"original", LoraStyle::kPeft, [](const std::string& module) {
                                return "diffusion_model." + original_name(module);
                              }};
constexpr Naming kMusubi = {"musubi", LoraStyle::kKohya, [](const std::string& module) {
                              return "lora_unet_" + flat_name(original_name(module));
                            }};

// Copies the model to `merged` with a LoRA on what the experts have of `modules` (all of them where that is
// empty), the same on each as its keys say, and writes the LoRA to `file`.
void make_merged(const std::string& model, const Naming& naming, const std::string& modules,
                 const std::vector<std::string>& experts, const std::string& merged,
                 const std::string& file) {
  testing::copy_model(folder_of(model), merged);
  for (const std::string& expert : experts) {
    RandomLora lora(11, naming.style, kWeight);
    testing::change_file(lora, merged + "/" + expert + "/diffusion_pytorch_model.safetensors",
                         [&](const std::string& tensor) {
                           const std::string module = module_of(tensor);
                           return modules.empty() || module == modules ? naming.key(module) : "";
                         });
    EXPECT_TRUE(modules.empty() ? lora.modules() > 20 : lora.modules() == 1);
    lora.write(file);
  }
}

struct ClipCase {
  const char* model;  // wan-tiny-MODEL
  const Naming* naming;
  const char* modules;
};

class ClipLora : public ::testing::TestWithParam<ClipCase> {};

// Diffusers' names are those of the first expert, Wan's those of both.
TEST_P(ClipLora, IsTheMergedModel) {
  const auto& [model, naming, modules] = GetParam();
  const TemporaryFolder place;
  const std::string merged = place.path("merged"), file = place.path("style.safetensors");
  std::vector<std::string> experts = {"transformer"};
  if (naming != &kDiffusers && std::string_view(model) != "ti2v") experts.emplace_back("transformer_2");
  make_merged(model, *naming, modules, experts, merged, file);
  const ClipOutcome plain = run(request_of(model, folder_of(model)));
  const ClipOutcome actual = run(with_lora(request_of(model, folder_of(model)), file + ":0.6"));
  const ClipOutcome expected = run(request_of(model, merged));
  const double latents = worst_latents(actual, expected), level = worst_level(actual, expected);
  std::printf(
      "parity wan %s lora %s %s: latents %.2g (tolerance %.2g), levels %.0f (%.0f); without it %.2g\n", model,
      naming->name, modules, latents, kLatentsTolerance, level, kFrameTolerance,
      worst_latents(actual, plain));
  EXPECT_LE(latents, kLatentsTolerance);
  EXPECT_LE(level, kFrameTolerance);
  EXPECT_GT(worst_latents(actual, plain), kClearly);
  EXPECT_GT(worst_level(actual, plain), kFrameTolerance);
}

// The patches' convolution is in three dimensions; in front of I2V's a picture stands beside the latents.
INSTANTIATE_TEST_SUITE_P(All, ClipLora,
                         ::testing::Values(ClipCase{"t2v", &kDiffusers, ""}, ClipCase{"i2v", &kMusubi, ""},
                                           ClipCase{"i2v", &kDiffusers, ""}, ClipCase{"ti2v", &kOriginal, ""},
                                           ClipCase{"ti2v", &kMusubi, ""},
                                           ClipCase{"t2v", &kMusubi, "patch_embedding"},
                                           ClipCase{"i2v", &kOriginal, "patch_embedding"},
                                           ClipCase{"ti2v", &kDiffusers, "patch_embedding"}),
                         [](const auto& made) {
                           return fmt::format("{}_{}_{}", made.param.model, made.param.naming->name,
                                              *made.param.modules == '\0' ? "all" : made.param.modules);
                         });

// Of TI2V with a picture: the first frame is given, and has a time of its own.
TEST(ClipLoraOfPictures, IsTheMergedModelToo) {
  const TemporaryFolder place;
  const std::string merged = place.path("merged"), file = place.path("style.safetensors");
  make_merged("ti2v", kDiffusers, "", {"transformer"}, merged, file);
  const auto request = [](const std::string& folder) {
    RequestFields fields = request_of("ti2v", folder);
    fields.image = open_file(folder_of("ti2v") + "/cases/image.png");
    return fields;
  };
  const ClipOutcome actual = run(with_lora(request(folder_of("ti2v")), file + ":0.6"));
  EXPECT_LE(worst_latents(actual, run(request(merged))), kLatentsTolerance);
  EXPECT_GT(worst_latents(actual, run(request(folder_of("ti2v")))), kClearly);
}

Plan plan_of(const RequestFields& fields, uint64_t arena_bytes) {
  const auto model = open_model(fields);
  const Request request = validate_request(fields, *model, cpu_backend());
  return testing::planned(request, *model, arena_bytes).plan;
}

class ClipLoraBits : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::vector<DType> available = cpu_backend().precisions();
    const DType wanted = std::string_view(GetParam()) == "bf16" ? DType::kBF16 : DType::kF32;
    if (std::find(available.begin(), available.end(), wanted) == available.end())
      GTEST_SKIP() << "this machine does not compute in bf16";
  }
  static RequestFields request(const std::string& folder = folder_of("t2v")) {
    RequestFields fields = request_of("t2v", folder);
    fields.precision = GetParam();
    return fields;
  }
  // Of the latents after each call, those of the first expert's.
  static std::span<const float> after_first(const ClipOutcome& outcome) {
    const auto all = outcome.trace.latents.floats();
    const auto calls = static_cast<size_t>(outcome.trace.latents.shape()[0]);
    return all.first(all.size() / calls *
                     static_cast<size_t>(plan_of(request(), UINT64_MAX).phase("step").calls));
  }
  static bool same(const ClipOutcome& a, const ClipOutcome& b) {
    return worst_latents(a, b) == 0 && worst_level(a, b) == 0;
  }
};

TEST_P(ClipLoraBits, AreTheSameInAnyBudgetAndGoWithTheLora) {
  const TemporaryFolder place;
  const std::string merged = place.path("merged"), file = place.path("style.safetensors");
  make_merged("t2v", kMusubi, "", {"transformer", "transformer_2"}, merged, file);
  const ClipOutcome plain = run(request());
  for (const std::string part : {"", "transformer=", "transformer_2="}) {
    const RequestFields fields = with_lora(request(), part + file + ":0.6");
    const Plan roomy = plan_of(fields, UINT64_MAX), least = plan_of(fields, 0);
    for (const char* phase : {"step", "step_2"}) {
      EXPECT_EQ(roomy.phase(phase).measures.streamed_bytes, 0U) << phase;
      EXPECT_GT(least.phase(phase).measures.streamed_bytes, 0U) << phase;
    }
    const ClipOutcome resident = run(fields), streamed = run(fields, 0);
    EXPECT_LT(streamed.arena_bytes, resident.arena_bytes);
    EXPECT_TRUE(same(resident, streamed)) << part;
    EXPECT_TRUE(same(resident, run(fields, (resident.arena_bytes + streamed.arena_bytes) / 2))) << part;
    EXPECT_GT(worst_latents(resident, plain), kClearly) << part;
    EXPECT_EQ(worst_difference(after_first(resident), after_first(plain)) == 0, part == "transformer_2=");
  }
  EXPECT_TRUE(same(run(request()), plain)) << "the model's own bits are there again";
  EXPECT_TRUE(same(run(request(), 0), plain)) << "streamed, too";
}

// The LoRA of one expert is that expert's alone, in its weights as in its steps.
TEST_P(ClipLoraBits, OfOneExpertAreThoseOfItsMergedWeights) {
  const TemporaryFolder place;
  // In bf16 a sum in float and one in double may round to neighbours.
  const double tolerance = std::string_view(GetParam()) == "bf16" ? 0.02 : kLatentsTolerance;
  const ClipOutcome plain = run(request());
  for (const std::string expert : {"transformer", "transformer_2"}) {
    const std::string merged = place.path(expert), file = place.path("style.safetensors");
    make_merged("t2v", kDiffusers, "", {expert}, merged, file);
    const ClipOutcome actual = run(with_lora(request(), expert + "=" + file + ":0.6"));
    const ClipOutcome expected = run(request(merged));
    const double difference = relative_distance(actual.latents.floats(), expected.latents.floats());
    const double of_lora = relative_distance(actual.latents.floats(), plain.latents.floats());
    std::printf("parity wan t2v lora on %s in %s: latents %.2g (tolerance %.2g); without it %.2g\n",
                expert.c_str(), GetParam(), difference, tolerance, of_lora);
    EXPECT_LE(difference, tolerance);
    EXPECT_GT(of_lora, 3 * tolerance);
  }
}

// A service keeps weights in memory from run to run: those with a LoRA are never those without.
TEST_P(ClipLoraBits, AreNotKeptForTheModelWithoutTheLora) {
  const TemporaryFolder place;
  const std::string merged = place.path("merged"), file = place.path("style.safetensors");
  make_merged("t2v", kOriginal, "", {"transformer", "transformer_2"}, merged, file);
  RequestFields plain = request();
  plain.keep_weights = true;
  const RequestFields styled = with_lora(plain, file + ":0.6");
  const auto clip = [](const RequestFields& fields, const GenerateOptions& options = {}) {
    return generate(fields, options).pictures;
  };
  const auto plain_clip = clip(plain), styled_clip = clip(styled);
  ASSERT_NE(plain_clip, styled_clip);
  KeptRun kept;
  GenerateOptions options;
  options.kept = &kept;
  for (const bool with : {false, true, false, false}) {
    const RequestFields& fields = with ? styled : plain;
    options.model = open_model(fields);
    EXPECT_EQ(clip(fields, options), with ? styled_clip : plain_clip);
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, ClipLoraBits, ::testing::Values("f32", "bf16"),
                         [](const auto& chosen) { return std::string(chosen.param); });

}  // namespace
}  // namespace snug
