#include <array>

#include "weights/name_map.h"

namespace snug {
namespace {

constexpr std::string_view kBlocks = "blocks.";

// Diffusers' modules and Wan's. Source: the modules of Wan's code (wan/modules/model.py) and of diffusers'
// WanTransformer3DModel.
constexpr auto kOuter = std::to_array<std::pair<std::string_view, std::string_view>>({
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

constexpr auto kInBlock = std::to_array<std::pair<std::string_view, std::string_view>>({
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

template <size_t n>
constexpr auto turned(std::array<std::pair<std::string_view, std::string_view>, n> pairs) {
  for (auto& [from, to] : pairs) std::swap(from, to);
  return pairs;
}

// `outer` or, inside a block, `in_block` applied to the name of a module or a tensor.
std::optional<std::string> renamed(std::string_view name, PrefixPairs outer, PrefixPairs in_block) {
  if (!name.starts_with(kBlocks)) return replace_prefix(name, outer);
  const auto block = split_number(name.substr(kBlocks.size()));
  if (!block) return std::nullopt;
  const auto rest = replace_prefix(block->rest, in_block);
  if (!rest) return std::nullopt;
  return std::string(kBlocks) + std::to_string(block->number) + "." + *rest;
}

}  // namespace

NameMappings map_original_wan(StoredTensors tensors) {
  constexpr auto kFromOuter = turned(kOuter);
  constexpr auto kFromInBlock = turned(kInBlock);
  NameMappings out;
  for (size_t i = 0; i < tensors.size(); ++i) {
    std::string_view name = tensors[i].name;
    if (name.starts_with(kComfyPrefix)) name.remove_prefix(kComfyPrefix.size());
    auto ours = renamed(name, kFromOuter, kFromInBlock);
    if (!ours) continue;
    const bool vector = ours->ends_with("scale_shift_table");
    out.push_back({.stored = i, .name = std::move(*ours), .as_vector = vector});
  }
  return out;
}

bool is_original_wan(std::string_view name) {
  if (name.starts_with(kComfyPrefix)) name.remove_prefix(kComfyPrefix.size());
  return name.starts_with("blocks.0.self_attn.q.");
}

std::map<std::string, std::string> original_wan_modules(const std::vector<std::string>& modules) {
  std::map<std::string, std::string> out;
  for (const std::string& module : modules) {
    auto original = renamed(module, kOuter, kInBlock);
    if (original) out.emplace(module, std::move(*original));
  }
  return out;
}

}  // namespace snug
