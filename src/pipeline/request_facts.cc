#include "pipeline/request_facts.h"

#include <fmt/format.h>

#include "backend/cpu/isa.h"
#include "base/checksum.h"
#include "base/version.h"
#include "pipeline/added_numbers.h"

namespace snug {
namespace {

std::string sum_of(std::string_view text) { return checksum_text(std::as_bytes(std::span(text))); }

std::string sum_of(const HostTensor& tensor) {
  return tensor.empty() ? "none" : tensor.shape().text() + " " + checksum_text(tensor.bytes());
}

// All pictures' texts behind each other, each with its length, so that none passes for two.
template <typename TextOf>
std::string texts(const Request& request, TextOf text_of) {
  std::string all;
  for (const RequestPicture& picture : request.pictures) {
    const std::string text = text_of(picture);
    all += fmt::format("{}:{}\n", text.size(), text);
  }
  return sum_of(all);
}

}  // namespace

std::vector<RequestFact> request_facts(const Request& request, const Model& model, std::string_view backend) {
  std::vector<RequestFact> facts;
  const auto shown = [&](const char* name, std::string value) {
    facts.push_back({name, std::move(value), true});
  };
  const auto hidden = [&](const char* name, std::string value) {
    facts.push_back({name, std::move(value), false});
  };
  shown("program", fmt::format("{}, {}", kVersion, backend));
  shown("instruction set", std::string(isa_name(used_isa())));
  shown("model", request.model_name);
  hidden("model files", sum_of(model.identity + '\n' + model.description.scheduler.text));
  hidden("prompt", texts(request, [](const RequestPicture& p) { return p.prompt; }));
  hidden("negative prompt", texts(request, [](const RequestPicture& p) {
           return p.zero_negative ? std::string("zeros") : "text " + p.negative_prompt;
         }));
  hidden("second prompt", texts(request, [](const RequestPicture& p) { return p.prompt_2; }));
  hidden("second negative prompt",
         texts(request, [](const RequestPicture& p) { return p.negative_prompt_2; }));
  std::string seeds;
  for (const RequestPicture& picture : request.pictures)
    seeds += fmt::format("{}{}", seeds.empty() ? "" : " ", picture.seed);
  shown("seed", seeds);
  shown("size", fmt::format("{}x{}", request.width, request.height));
  shown("frames", fmt::format("{}", request.frames));
  shown("steps", fmt::format("{}", request.steps));
  shown("sampler", request.sampler_name);
  shown("guidance scale", fmt::format("{}", request.guidance_scale));
  if (request.is_clip) shown("second guidance scale", fmt::format("{}", request.guidance_scale_2));
  if (request.sampler.prediction_type == PredictionType::kFlow)
    shown("flow shift", fmt::format("{}", request.sampler.flow_shift));
  shown("clip skip", fmt::format("{}", request.clip_skip));
  shown("precision", precision_name(request.precision));
  shown("strength", fmt::format("{}", request.strength));
  shown("part",
        fmt::format("{} to {}", request.denoising_start.value_or(0), request.denoising_end.value_or(1)));
  shown("long prompts", request.long_prompt == LongPrompt::kTruncate ? "truncated" : "in chunks");
  hidden("sizes that the model is told", sum_of(stated_numbers(request)));
  hidden("start picture", sum_of(request.image));
  hidden("last picture", sum_of(request.last_image));
  hidden("mask", sum_of(request.mask));
  hidden("start latents", sum_of(request.latents));
  return facts;
}

}  // namespace snug
