#include "weights/name_map.h"

#include <charconv>

namespace snug {

std::optional<Numbered> split_number(std::string_view name) {
  const size_t dot = name.find('.');
  const std::string_view digits = name.substr(0, dot);
  size_t number = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failed != std::errc() || end != digits.data() + digits.size() || number > 999) return std::nullopt;
  // "01" would be a second name of 1.
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  return Numbered{number, dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1)};
}

std::optional<std::string> replace_prefix(std::string_view name, PrefixPairs pairs) {
  for (const auto& [from, to] : pairs) {
    if (!name.starts_with(from)) continue;
    const std::string_view rest = name.substr(from.size());
    if (rest.empty() || rest.front() == '.') return std::string(to) + std::string(rest);
  }
  return std::nullopt;
}

NameMappings map_diffusers(StoredTensors tensors) {
  constexpr std::pair<std::string_view, std::string_view> kAttention[] = {
      {"query", "to_q"}, {"key", "to_k"},  {"value", "to_v"}, {"proj_attn", "to_out.0"},
      {"to_q", "to_q"},  {"to_k", "to_k"}, {"to_v", "to_v"},  {"to_out.0", "to_out.0"}};
  constexpr std::string_view kMarker = "mid_block.attentions.0.";
  NameMappings out;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const std::string& name = tensors[i].name;
    const size_t at = name.find(kMarker);
    if (at != std::string::npos) {
      const size_t attention = at + kMarker.size();
      const auto current = replace_prefix(std::string_view(name).substr(attention), kAttention);
      if (current) {
        out.push_back({.stored = i, .name = name.substr(0, attention) + *current, .as_matrix = true});
        continue;
      }
    }
    const bool vector = name.ends_with("scale_shift_table") || name.ends_with(".gamma");
    out.push_back({.stored = i, .name = name, .as_vector = vector});
  }
  return out;
}

}  // namespace snug
