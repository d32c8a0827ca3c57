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

// Source: the modules of Wan's code (wan/modules/model.py) and of diffusers' WanTransformer3DModel.
constexpr auto kWanOuter = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"patch_embedding", "patch_embedding"},
    {"condition_embedder.time_embedder.linear_1", "time_embedding.0"},
    {"condition_embedder.time_embedder.linear_2", "time_embedding.2"},
    {"condition_embedder.time_proj", "time_projection.1"},
    {"condition_embedder.text_embedder.linear_1", "text_embedding.0"},
    {"condition_embedder.text_embedder.linear_2", "text_embedding.2"},
    {"condition_embedder.image_embedder.norm1", "img_emb.proj.0"},
    {"condition_embedder.image_embedder.ff.net.0.proj", "img_emb.proj.1"},
    {"condition_embedder.image_embedder.ff.net.2", "img_emb.proj.3"},
    {"condition_embedder.image_embedder.norm2", "img_emb.proj.4"},
    {"scale_shift_table", "head.modulation"},
    {"proj_out", "head.head"},
});

constexpr auto kWanInBlock = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"attn1.to_q", "self_attn.q"},
    {"attn1.to_k", "self_attn.k"},
    {"attn1.to_v", "self_attn.v"},
    {"attn1.to_out.0", "self_attn.o"},
    {"attn1.norm_q", "self_attn.norm_q"},
    {"attn1.norm_k", "self_attn.norm_k"},
    {"attn2.to_q", "cross_attn.q"},
    {"attn2.to_k", "cross_attn.k"},
    {"attn2.to_v", "cross_attn.v"},
    {"attn2.to_out.0", "cross_attn.o"},
    {"attn2.norm_q", "cross_attn.norm_q"},
    {"attn2.norm_k", "cross_attn.norm_k"},
    {"attn2.add_k_proj", "cross_attn.k_img"},
    {"attn2.add_v_proj", "cross_attn.v_img"},
    {"attn2.norm_added_k", "cross_attn.norm_k_img"},
    {"norm2", "norm3"},
    {"ffn.net.0.proj", "ffn.0"},
    {"ffn.net.2", "ffn.2"},
    {"scale_shift_table", "modulation"},
});

Names original_wan_modules(const std::vector<std::string>& modules) {
  constexpr std::string_view kBlocks = "blocks.";
  Names out;
  for (const std::string& module : modules) {
    std::optional<std::string> original;
    if (module.starts_with(kBlocks)) {
      const auto block = split_number(std::string_view(module).substr(kBlocks.size()));
      if (block) original = replace_prefix(block->rest, kWanInBlock);
      if (original) original = std::string(kBlocks) + std::to_string(block->number) + "." + *original;
    } else {
      original = replace_prefix(module, kWanOuter);
    }
    if (original) out.emplace(module, std::move(*original));
  }
  return out;
}

struct Part {
  std::string_view name;
  std::array<std::string_view, 2> flat;  // before a name with '_' for '.'; empty: none such
  // Before a name with '.'. "-" is no prefix.
  std::array<std::string_view, 3> dotted;
  Names (*original)(const std::vector<std::string>& modules);
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
         original_wan_modules},
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
    const Module target{std::string(part), module};
    const auto original = originals.find(module);
    for (const std::string_view prefix : found->flat) {
      if (prefix.empty()) continue;
      add_name(std::string(prefix) + flat(module), target);
      if (original != originals.end()) add_name(std::string(prefix) + flat(original->second), target);
    }
    for (const std::string_view prefix : found->dotted) {
      if (!prefix.empty()) add_name((prefix == kNone ? "" : std::string(prefix)) + module, target);
    }
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
