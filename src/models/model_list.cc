#include "models/model_list.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"

namespace snug {
namespace {

constexpr std::array kArchitectures = {
    Architecture{
        .name = "stable_diffusion",  // 1.x and 2.x
        .pipeline_classes = {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline",
                             "StableDiffusionInpaintPipeline"},
        .parts = {{{"text_encoder", {"CLIPTextModel"}},            // clip_text/
                   {"unet", {"UNet2DConditionModel"}},             // unet/
                   {"vae", {"AutoencoderKL", "AutoencoderTiny"}},  // autoencoder_kl/, autoencoder_tiny/
                   {"tokenizer", {"CLIPTokenizer", "CLIPTokenizerFast"}},
                   {"scheduler", {}}}}},
};

[[noreturn]] void refuse(std::string problem, const std::string& file) {
  throw Error(ErrorCode::kUnsupportedArchitecture, std::move(problem),
              "'snug models' lists what Snug can run")
      .in_file(file);
}

}  // namespace

std::span<const Architecture> model_list() { return kArchitectures; }

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
  const auto* rule =
      std::find_if(rules.begin(), rules.end(), [part](const PartRule& r) { return r.part == part; });
  SNUG_CHECK(rule != rules.end(), "the architecture has this part");
  const auto& classes = rule->classes;
  if (classes[0].empty()) return;
  if (class_name.empty() || std::find(classes.begin(), classes.end(), class_name) == classes.end()) {
    refuse(fmt::format("the {} is a '{}', which Snug does not have", part, class_name), file);
  }
}

}  // namespace snug
