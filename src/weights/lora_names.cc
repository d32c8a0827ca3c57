#include "weights/lora_names.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "weights/name_map.h"

namespace snug {
namespace {

using Names = std::map<std::string, std::string>;

Names no_original(const std::vector<std::string>& /*modules*/) { return {}; }

struct Part {
  std::string_view name;
  std::array<std::string_view, 2> flat;  // before a name with '_' for '.'; empty: none such
  // Before a name with '.'. "-" is no prefix.
  std::array<std::string_view, 3> dotted;
  Names (*original)(const std::vector<std::string>& modules);
  std::string_view when_named = {};  // likewise, where the LoRA is put on this part by name
};

constexpr std::string_view kNone = "-";

constexpr std::array kParts = {
    Part{"unet", {"lora_unet_"}, {"unet.", "base_model.model.", kNone}, original_unet_modules},
    Part{"transformer",
         {"lora_unet_", "lora_transformer_"},
         {"transformer.", "base_model.model.", kNone},
         original_wan_modules},
    Part{"transformer_2",
         {"lora_unet_", "lora_transformer_"},
         {"transformer_2.", "base_model.model.", kNone},
         original_wan_modules,
         "transformer."},
    Part{"text_encoder", {"lora_te_", "lora_te1_"}, {"text_encoder."}, no_original},
    Part{"text_encoder_2", {"lora_te2_"}, {"text_encoder_2."}, no_original},
};

std::string flat(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// "a.weight" and "a.bias" are of module "a"; any other tensor is a module of its own.
std::vector<std::string> modules_of(const std::vector<std::string>& tensors) {
  std::set<std::string> modules;
  for (const std::string& tensor : tensors) {
    std::string module = tensor;
    for (const std::string_view end : {".weight", ".bias"}) {
      if (module.ends_with(end)) module.erase(module.size() - end.size());
    }
    modules.insert(std::move(module));
  }
  return {modules.begin(), modules.end()};
}

}  // namespace

void LoraNames::add_name(std::string name, const Module& module) {
  std::vector<Module>& known = modules_[std::move(name)];
  const bool has_part =
      std::any_of(known.begin(), known.end(), [&](const Module& other) { return other.part == module.part; });
  if (!has_part) known.push_back(module);
}

void LoraNames::add(std::string_view part, const std::vector<std::string>& tensors) {
  const auto found =
      std::find_if(kParts.begin(), kParts.end(), [&](const Part& p) { return p.name == part; });
  if (found == kParts.end()) return;
  const std::vector<std::string> modules = modules_of(tensors);
  const Names originals = found->original(modules);
  for (const std::string& module : modules) {
    const Module target{.part = std::string(part), .module = module};
    const auto original = originals.find(module);
    for (const std::string_view prefix : found->flat) {
      if (prefix.empty()) continue;
      add_name(std::string(prefix) + flat(module), target);
      if (original != originals.end()) add_name(std::string(prefix) + flat(original->second), target);
    }
    for (const std::string_view prefix : found->dotted) {
      if (!prefix.empty()) add_name((prefix == kNone ? "" : std::string(prefix)) + module, target);
    }
    if (!found->when_named.empty())
      add_name(std::string(found->when_named) + module,
               {.part = target.part, .module = module, .when_named = true});
    if (original == originals.end()) continue;
    add_name("diffusion_model." + original->second, target);
    add_name(original->second, target);
  }
}

const std::vector<LoraNames::Module>& LoraNames::find(std::string_view name) const {
  static const std::vector<Module> kUnknown;
  const auto found = modules_.find(name);
  return found == modules_.end() ? kUnknown : found->second;
}

}  // namespace snug
