#include "apps/snug/describe_checkpoint.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/print_error.h"
#include "base/units.h"
#include "models/describe_model.h"
#include "models/embedded_model.h"
#include "models/model_graphs.h"
#include "text/clip_tokenizer.h"

namespace snug::cli {
namespace {

Checkpoint open_named(const std::string& path) {
  if (path != kEmbeddedModelName) return open_checkpoint(path);
  Checkpoint checkpoint = open_checkpoint(embedded_model());
  checkpoint.name = kEmbeddedModelName;
  return checkpoint;
}

PartFacts describe_part(const std::string& name, const CheckpointPart& part) {
  PartFacts facts;
  facts.name = name;
  facts.class_name = part.class_name;
  facts.library = part.library;
  facts.layout = part.layout;
  if (part.weights == nullptr) return facts;
  facts.tensors = static_cast<int64_t>(part.weights->size());
  facts.parameters = part.weights->total_parameters();
  facts.bytes = part.weights->total_bytes();
  for (const std::string& tensor : part.weights->names()) {
    const WeightEntry& entry = part.weights->entry(tensor);
    facts.dtype_bytes[std::string(dtype_info(entry.dtype).name)] += entry.bytes;
  }
  return facts;
}

void describe_architecture(const Checkpoint& checkpoint, CheckpointFacts& facts) {
  const ModelDescription model = describe_model(checkpoint);
  facts.title = model.title;
  facts.architecture = model.architecture->name;
  facts.native_size_px = model.native_size_px;
  facts.latent_factor = model.latent_factor;
  facts.latent_channels = model.latent_channels;
  facts.prediction_type = model.prediction_type;
  if (model.video) facts.clip = clip_facts(*model.video);
  facts.assumptions = model.assumptions;
  check_weights(model);
  if (checkpoint.files == nullptr) {
    facts.assumptions.emplace_back("the file carries no tokenizer: name a folder with --tokenizer");
    return;
  }
  for (const TextEncoder& encoder : model.text_encoders) {
    const ClipTokenizer tokenizer = ClipTokenizer::load(*checkpoint.files, encoder.tokenizer);
    facts.vocabulary = tokenizer.vocabulary_size();
    check_tokenizer(model, encoder, tokenizer.largest_id(), tokenizer.max_length());
  }
}

using nlohmann::ordered_json;

template <typename T>
ordered_json or_null(const std::optional<T>& value) {
  return value.has_value() ? ordered_json(*value) : ordered_json();
}
ordered_json or_null(const std::string& text) { return text.empty() ? ordered_json() : ordered_json(text); }

ordered_json part_json(const PartFacts& part) {
  ordered_json json;
  json["name"] = part.name;
  json["class"] = or_null(part.class_name);
  json["library"] = or_null(part.library);
  json["layout"] = or_null(part.layout);
  json["tensors"] = or_null(part.tensors);
  json["parameters"] = or_null(part.parameters);
  json["bytes"] = or_null(part.bytes);
  json["dtype_bytes"] = ordered_json::object();
  for (const auto& [dtype, bytes] : part.dtype_bytes) json["dtype_bytes"][dtype] = bytes;
  return json;
}

std::string part_text(const PartFacts& part) {
  std::string text =
      fmt::format("  {:<18} {:<26}", part.name, part.class_name.empty() ? "-" : part.class_name);
  if (part.parameters.has_value()) {
    text += fmt::format(" {:>14} parameters in {} tensors, {}:", *part.parameters, *part.tensors,
                        format_bytes(*part.bytes));
    for (const auto& [dtype, bytes] : part.dtype_bytes)
      text += fmt::format(" {} {}", dtype, format_bytes(bytes));
    if (part.layout != "diffusers") text += fmt::format(" ({} layout)", part.layout);
  }
  return text + "\n";
}

}  // namespace

CheckpointFacts describe_checkpoint(const std::string& path) {
  const Checkpoint checkpoint = open_named(path);
  CheckpointFacts facts;
  facts.path = path;
  facts.is_folder = checkpoint.kind == CheckpointKind::kFolder;
  facts.pipeline_class = checkpoint.pipeline_class;
  for (const auto& [name, part] : checkpoint.parts) {
    facts.parts.push_back(describe_part(name, part));
    facts.parameters += facts.parts.back().parameters.value_or(0);
    facts.bytes += facts.parts.back().bytes.value_or(0);
    if (name == "scheduler") facts.scheduler = part.class_name;
  }
  facts.unused_tensors = checkpoint.unused;
  try {
    describe_architecture(checkpoint, facts);
  } catch (const Error& error) {
    facts.error = error;
  }
  return facts;
}

std::string facts_text(const CheckpointFacts& facts) {
  std::string text =
      fmt::format("model          {} ({})\n", facts.path, facts.is_folder ? "folder" : "single file");
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:<14} {}\n", name, value);
  };
  line("architecture", facts.title);
  line("pipeline", facts.pipeline_class);
  line("parameters", fmt::format("{} stored in {}", facts.parameters, format_bytes(facts.bytes)));
  if (facts.native_size_px.has_value()) {
    line("native size",
         fmt::format("{0}x{0}, multiples of {1}", *facts.native_size_px, *facts.latent_factor));
    line("latents", fmt::format("{} channels", *facts.latent_channels));
  }
  line("prediction", facts.prediction_type);
  line("scheduler", facts.scheduler);
  if (facts.vocabulary.has_value()) line("tokenizer", fmt::format("{} entries", *facts.vocabulary));
  text += "parts\n";
  for (const PartFacts& part : facts.parts) text += part_text(part);
  if (!facts.unused_tensors.empty()) {
    text += fmt::format("{} tensors are not used, {} among them\n", facts.unused_tensors.size(),
                        facts.unused_tensors.front());
  }
  for (const std::string& assumption : facts.assumptions) text += fmt::format("note: {}\n", assumption);
  std::string safe;  // names are from the file; line ends are ours
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    safe += printable(text.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return safe;
}

std::string facts_json(const CheckpointFacts& facts) {
  ordered_json json;
  json["status"] = facts.error.has_value() ? "failed" : "done";
  json["kind"] = "model";
  json["path"] = facts.path;
  json["form"] = facts.is_folder ? "folder" : "single_file";
  json["architecture"] = or_null(facts.architecture);
  json["title"] = or_null(facts.title);
  json["pipeline_class"] = or_null(facts.pipeline_class);
  json["parameters"] = facts.parameters;
  json["bytes"] = facts.bytes;
  json["native_size_px"] = or_null(facts.native_size_px);
  json["latent_factor"] = or_null(facts.latent_factor);
  json["latent_channels"] = or_null(facts.latent_channels);
  json["prediction_type"] = or_null(facts.prediction_type);
  json["scheduler"] = or_null(facts.scheduler);
  json["vocabulary"] = or_null(facts.vocabulary);
  json["parts"] = ordered_json::array();
  for (const PartFacts& part : facts.parts) json["parts"].push_back(part_json(part));
  json["assumptions"] = facts.assumptions;
  json["unused_tensors"] = facts.unused_tensors;
  if (facts.error.has_value()) {
    json["error"] = {{"code", facts.error->word()}, {"message", facts.error->what()}, {"stage", ""}};
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace snug::cli
