#include "pipeline/model_loras.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_tree.h"
#include "base/nearest_name.h"
#include "pipeline/phase_names.h"
#include "text/prompt_syntax.h"

namespace snug {
namespace {

namespace fs = std::filesystem;

constexpr double kMostWeight = 100;
constexpr std::string_view kExtension = ".safetensors";
// So many keys are named in a sentence.
constexpr size_t kMostKeysNamed = 5;
// Before '=': a part of the model.
constexpr std::array<std::string_view, 5> kParts = {"unet", "transformer", "transformer_2", "text_encoder",
                                                    "text_encoder_2"};

Error invalid(std::string problem, std::string fix) {
  return Error(ErrorCode::kInvalidArgument, std::move(problem), std::move(fix));
}

NamedLora checked(NamedLora lora) {
  const size_t equals = lora.name.find('=');
  if (equals != std::string::npos) {
    const std::string_view part = std::string_view(lora.name).substr(0, equals);
    if (std::find(kParts.begin(), kParts.end(), part) != kParts.end()) {
      lora.part = part;
      lora.name.erase(0, equals + 1);
    }
  }
  if (lora.name.empty()) throw invalid("a LoRA has no name", "give NAME or NAME:WEIGHT");
  if (!(std::fabs(lora.weight) <= kMostWeight)) {
    throw invalid(fmt::format("the weight of the LoRA '{}' is {}", lora.name, lora.weight),
                  fmt::format("give a value from -{0} to {0}", kMostWeight));
  }
  return lora;
}

// "name:0.8". What is behind the last ':' and no number belongs to the name.
NamedLora parse(std::string_view text, bool by_path) {
  NamedLora lora{std::string(text), 1, {}, by_path};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return checked(std::move(lora));
  std::string_view number = text.substr(colon + 1);
  if (number.starts_with('+')) number.remove_prefix(1);
  double weight = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
  if (error == std::errc() && end == number.data() + number.size()) {
    lora.weight = weight;
    lora.name.erase(colon);
  }
  return checked(std::move(lora));
}

Error not_found(const std::string& name, const std::vector<std::string>& there) {
  const std::vector<std::string_view> names(there.begin(), there.end());
  const std::string_view nearest = nearest_name(name, names);
  return Error(ErrorCode::kNotFound, fmt::format("there is no LoRA '{}'", name),
               nearest.empty() ? "put its safetensors file into the folder of the setting lora_folder"
                               : fmt::format("did you mean '{}'?", nearest));
}

// Of RequestFields or PictureFields.
template <typename Fields>
PromptTexts texts_of(const Fields& fields) {
  const std::string negative = fields.negative_prompt.value_or("");
  return {fields.prompt, negative, fields.prompt_2.value_or(fields.prompt),
          fields.negative_prompt_2.value_or(negative)};
}

// Who asks the service is told of no files, so what is wrong with one of several LoRAs says which.
Error naming(const std::string& lora, const Error& error) {
  Error named(error.code(), fmt::format("LoRA '{}': {}", lora, error.problem()), error.fix());
  named.in_stage(error.stage()).in_file(error.file()).in_tensor(error.tensor());
  return named;
}

LoraUse read_lora(const NamedLora& lora, const RequestFields& fields) {
  const std::string path = lora_path(lora, fields);
  const std::string name = fs::path(lora.name).stem().string();
  try {
    return {name, lora.weight, lora.part, std::make_shared<const LoraFile>(read_lora_file(open_file(path)))};
  } catch (const Error& error) {
    throw naming(name, error);
  }
}

std::vector<LoraOutcome> apply_named(const std::vector<LoraUse>& uses, WeightsByPart& parts) {
  try {
    return apply_loras(uses, parts);
  } catch (const Error& error) {
    for (const LoraUse& use : uses) {
      if (use.file->source->name() == error.file()) throw naming(use.name, error);
    }
    throw;
  }
}

std::string sentence_on_unused(const LoraOutcome& outcome) {
  std::string keys;
  for (size_t i = 0; i < std::min(kMostKeysNamed, outcome.unused.size()); ++i) {
    keys += (i == 0 ? "" : ", ") + outcome.unused[i];
  }
  if (outcome.unused.size() > kMostKeysNamed) keys += ", ...";
  return fmt::format("Of the LoRA {}, {} {} nothing in this model: {}", outcome.name, outcome.unused.size(),
                     outcome.unused.size() == 1 ? "key changes" : "keys change", keys);
}

}  // namespace

std::vector<NamedLora> loras_of_prompts(const PromptTexts& texts) {
  std::vector<NamedLora> loras;
  const auto add = [&](const std::string& text) {
    for (const PromptLora& lora : loras_in_prompt(text))
      loras.push_back(checked({lora.name, lora.weight, {}, false}));
  };
  add(texts.prompt);
  if (texts.prompt_2 != texts.prompt) add(texts.prompt_2);
  add(texts.negative_prompt);
  if (texts.negative_prompt_2 != texts.negative_prompt) add(texts.negative_prompt_2);
  return loras;
}

std::vector<NamedLora> named_loras(const RequestFields& fields) {
  std::vector<NamedLora> loras;
  for (const std::string& text : fields.loras) loras.push_back(parse(text, fields.lora_files));
  const PromptTexts texts = fields.pictures.empty() ? texts_of(fields) : texts_of(fields.pictures.front());
  for (NamedLora& lora : loras_of_prompts(texts)) loras.push_back(std::move(lora));
  return loras;
}

std::string lora_path(const NamedLora& lora, const RequestFields& fields) {
  std::error_code ignored;
  if (lora.by_path && fs::is_regular_file(lora.name, ignored)) return lora.name;
  if (fields.lora_folder.empty()) throw not_found(lora.name, {});
  require_inside("the folder of LoRAs", lora.name);
  const fs::path path = fs::path(fields.lora_folder) / lora.name;
  if (fs::is_regular_file(path, ignored)) return path.string();
  fs::path with_extension = path;
  with_extension += kExtension;
  if (fs::is_regular_file(with_extension, ignored)) return with_extension.string();
  std::vector<std::string> there;
  for (const auto& entry : fs::directory_iterator(fields.lora_folder, ignored)) {
    if (entry.path().extension() == kExtension) there.push_back(entry.path().stem().string());
  }
  throw not_found(lora.name, there);
}

std::vector<LoraOutcome> put_loras_on(ModelDescription& model, const RequestFields& fields) {
  std::vector<LoraUse> uses;
  for (const NamedLora& lora : named_loras(fields)) uses.push_back(read_lora(lora, fields));
  WeightsByPart parts;
  if (model.video) {
    for (size_t i = 0; i < model.video->experts.size(); ++i) parts[expert_part(i)] = model.video->experts[i];
  } else {
    parts = {{"unet", model.unet_weights}};
  }
  for (const TextEncoder& encoder : model.text_encoders) parts[encoder.part] = encoder.weights;
  std::vector<LoraOutcome> outcomes = apply_named(uses, parts);
  if (model.video) {
    for (size_t i = 0; i < model.video->experts.size(); ++i)
      model.video->experts[i] = parts.at(expert_part(i));
  } else {
    model.unet_weights = parts.at("unet");
  }
  for (TextEncoder& encoder : model.text_encoders) encoder.weights = parts.at(encoder.part);
  for (const LoraOutcome& outcome : outcomes) {
    if (!outcome.unused.empty()) model.assumptions.push_back(sentence_on_unused(outcome));
  }
  return outcomes;
}

std::string lora_text(const std::string& name, double weight) { return fmt::format("{}:{:g}", name, weight); }

}  // namespace snug
