#include "apps/snug/inspect_lora.h"

#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/find_model.h"
#include "apps/snug/print_error.h"
#include "base/units.h"
#include "pipeline/open_model.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

// What the file holds, in one word.
std::string_view kind_of(const LoraModule& module) {
  if (module.down.has_value()) return module.down->shape.rank() > 2 ? "convolution" : "matrix";
  return module.difference.has_value() ? "difference" : "bias";
}

ordered_json module_json(const LoraModule& module) {
  ordered_json json = {{"name", module.name}, {"kind", kind_of(module)}};
  json["rank"] = module.down.has_value() ? ordered_json(module.rank()) : ordered_json();
  json["alpha"] = module.alpha.has_value() ? ordered_json(*module.alpha) : ordered_json();
  return json;
}

uint64_t bytes_of(const LoraModule& module) {
  uint64_t bytes = 0;
  for (const auto* tensor :
       {&module.down, &module.up, &module.difference, &module.bias_difference, &module.up_bias}) {
    if (tensor->has_value()) bytes += (*tensor)->bytes;
  }
  return bytes;
}

// Put on the model as a request would.
LoraOutcome outcome_on(const LoraFile& lora, const std::string& model, const Configuration& configuration) {
  RequestFields fields;
  fields.model = find_model(model, configuration);
  fields.tokenizer = configuration.tokenizer;
  fields.loras = {lora.source->name()};
  fields.lora_files = true;
  return open_model(fields)->loras.front();
}

std::string joined(const std::set<int64_t>& numbers) {
  std::string text;
  for (const int64_t number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
  return text;
}

}  // namespace

int inspect_lora(const LoraFile& lora, const std::string& model, const Configuration& configuration,
                 bool as_json) {
  std::optional<LoraOutcome> outcome;
  if (!model.empty()) outcome = outcome_on(lora, model, configuration);
  ordered_json modules = ordered_json::array();
  std::string list;
  std::set<int64_t> ranks;
  uint64_t bytes = 0;
  for (const LoraModule& module : lora.modules) {
    bytes += bytes_of(module);
    modules.push_back(module_json(module));
    if (module.down.has_value()) ranks.insert(module.rank());
    list += fmt::format("  {:<72} {:<11}", printable(module.name), kind_of(module));
    if (module.down.has_value())
      list += fmt::format(" rank {:<4} factor {:g}", module.rank(), module.factor());
    list += '\n';
  }
  if (as_json) {
    ordered_json json = {{"status", "done"}, {"kind", "lora"},        {"path", lora.source->name()},
                         {"bytes", bytes},   {"modules", modules},    {"other_keys", lora.others},
                         {"model", nullptr}, {"unused_keys", nullptr}};
    if (outcome.has_value()) {
      json["model"] = model;
      json["unused_keys"] = outcome->unused;
    }
    fmt::print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
    return 0;
  }
  std::string text = fmt::format("lora           {}\n", printable(lora.source->name()));
  text += fmt::format("modules        {}, {}, ranks {}\n", lora.modules.size(), format_bytes(bytes),
                      ranks.empty() ? "none" : joined(ranks));
  text += list;
  for (const std::string& key : lora.others) text += fmt::format("  {} is of no LoRA\n", printable(key));
  if (outcome.has_value()) {
    text += fmt::format("changes {} modules of {}; {} of its keys change nothing there\n", outcome->modules,
                        printable(model), outcome->unused.size());
    for (const std::string& key : outcome->unused) text += fmt::format("  unused: {}\n", printable(key));
  }
  fmt::print("{}", text);
  return 0;
}

}  // namespace snug::cli
