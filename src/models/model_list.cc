#include "models/model_list.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr PartRule kUnet = {"unet", {"UNet2DConditionModel"}};            // unet/
constexpr PartRule kVae = {"vae", {"AutoencoderKL", "AutoencoderTiny"}};  // autoencoder_kl/, _tiny/
constexpr PartRule kText = {"text_encoder", {"CLIPTextModel"}};           // clip_text/
constexpr PartRule kText2 = {"text_encoder_2", {"CLIPTextModelWithProjection"}};
constexpr PartRule kTokenizer = {"tokenizer", {"CLIPTokenizer", "CLIPTokenizerFast"}};
constexpr PartRule kTokenizer2 = {"tokenizer_2", {"CLIPTokenizer", "CLIPTokenizerFast"}};
constexpr PartRule kScheduler = {"scheduler", {}};

constexpr std::array kStableDiffusion = {kText, kUnet, kVae, kTokenizer, kScheduler};
constexpr std::array kStableDiffusionXl = {kText, kText2, kUnet, kVae, kTokenizer, kTokenizer2, kScheduler};

constexpr std::array kWan = {PartRule{"text_encoder", {"UMT5EncoderModel"}},      // umt5/
                             PartRule{"transformer", {"WanTransformer3DModel"}},  // wan_transformer/
                             PartRule{"transformer_2", {"WanTransformer3DModel"}},
                             PartRule{"vae", {"AutoencoderKLWan"}},  // autoencoder_wan/
                             PartRule{"tokenizer", {"T5Tokenizer", "T5TokenizerFast"}},
                             kScheduler};

constexpr std::array kOneEncoder = {TextEncoderRule{.part = "text_encoder", .tokenizer = "tokenizer"}};
// The refiner has the second alone.
constexpr std::array kTwoEncoders = {TextEncoderRule{.part = "text_encoder",
                                                     .tokenizer = "tokenizer",
                                                     .states = ClipStates::kPenultimate,
                                                     .optional = true},
                                     TextEncoderRule{.part = "text_encoder_2",
                                                     .tokenizer = "tokenizer_2",
                                                     .states = ClipStates::kPenultimate,
                                                     .pooled = true,
                                                     .second_prompt = true,
                                                     .padding = "!"}};

constexpr std::array kArchitectures = {
    Architecture{.name = "stable_diffusion",  // 1.x and 2.x
                 .pipeline_classes = {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline",
                                      "StableDiffusionInpaintPipeline"},
                 .parts = kStableDiffusion,
                 .text_encoders = kOneEncoder,
                 .scaling_factor = 0.18215F,
                 .native_latents = 64},
    Architecture{.name = "stable_diffusion_xl",  // and its refiner
                 .pipeline_classes = {"StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline",
                                      "StableDiffusionXLInpaintPipeline"},
                 .parts = kStableDiffusionXl,
                 .text_encoders = kTwoEncoders,
                 .scaling_factor = 0.13025F,
                 .native_latents = 128},
    Architecture{.name = "wan",  // 2.1 and 2.2
                 .pipeline_classes = {"WanPipeline", "WanImageToVideoPipeline"},
                 .parts = kWan,
                 .text_encoders = {},
                 .scaling_factor = 1,
                 .native_latents = 60,
                 .video = true},
};

[[noreturn]] void refuse(std::string problem, const std::string& file) {
  throw Error(ErrorCode::kUnsupportedArchitecture, std::move(problem),
              "'snug models' lists what Snug can run")
      .in_file(file);
}

}  // namespace

std::span<const Architecture> model_list() { return kArchitectures; }

const Architecture& architecture_with_text_encoder(std::string_view part) {
  const auto* const found =
      std::find_if(kArchitectures.begin(), kArchitectures.end(), [part](const Architecture& architecture) {
        return !architecture.text_encoders.empty() && architecture.text_encoders.back().part == part;
      });
  SNUG_CHECK(found != kArchitectures.end(), "an architecture has this text encoder");
  return *found;
}

const Architecture& architecture_of_pipeline(std::string_view pipeline_class, const std::string& file) {
  for (const Architecture& architecture : kArchitectures) {
    const auto& classes = architecture.pipeline_classes;
    if (!pipeline_class.empty() &&
        std::find(classes.begin(), classes.end(), pipeline_class) != classes.end()) {
      return architecture;
    }
  }
  refuse(fmt::format("the pipeline is a '{}', which Snug does not have", pipeline_class), file);
}

void require_part_class(const Architecture& architecture, std::string_view part, std::string_view class_name,
                        const std::string& file) {
  const auto& rules = architecture.parts;
  const auto rule =
      std::find_if(rules.begin(), rules.end(), [part](const PartRule& r) { return r.part == part; });
  SNUG_CHECK(rule != rules.end(), "the architecture has this part");
  const auto& classes = rule->classes;
  if (classes[0].empty()) return;
  if (class_name.empty() || std::find(classes.begin(), classes.end(), class_name) == classes.end()) {
    refuse(fmt::format("the {} is a '{}', which Snug does not have", part, class_name), file);
  }
}

}  // namespace snug
