#include "graph/node_spec.h"

#include <bit>

#include <fmt/format.h>

namespace snug {
namespace {

// describe() rounds numbers for people; the key keeps every bit of the ones that may differ in the last.
std::string exact(const Attrs& attrs) {
  if (const auto* a = std::get_if<AffineAttrs>(&attrs)) {
    return fmt::format("{:x},{:x}", std::bit_cast<uint32_t>(a->scale), std::bit_cast<uint32_t>(a->offset));
  }
  if (const auto* a = std::get_if<AttentionAttrs>(&attrs)) {
    return fmt::format("{},{:x},{},{}", a->heads, std::bit_cast<uint32_t>(a->scale), a->causal, a->window);
  }
  if (const auto* a = std::get_if<GroupNormAttrs>(&attrs)) {
    return fmt::format("{},{:x},{}", a->groups, std::bit_cast<uint32_t>(a->epsilon),
                       static_cast<int>(a->activation));
  }
  if (const auto* a = std::get_if<ModulateAttrs>(&attrs)) {
    return fmt::format("{:x}", std::bit_cast<uint32_t>(a->epsilon));
  }
  if (const auto* a = std::get_if<RotaryAttrs>(&attrs)) {
    return fmt::format("{:x}", std::bit_cast<uint32_t>(a->theta));
  }
  if (const auto* a = std::get_if<LayerNormAttrs>(&attrs)) {
    return fmt::format("{:x}", std::bit_cast<uint32_t>(a->epsilon));
  }
  if (const auto* a = std::get_if<RmsNormAttrs>(&attrs)) {
    return fmt::format("{:x}", std::bit_cast<uint32_t>(a->epsilon));
  }
  return {};
}

}  // namespace

std::string NodeSpec::key() const {
  std::string key = fmt::format("{} {} {}", op_info(op).name, exact(attrs), op_info(op).describe(attrs));
  const auto append = [&](const Operand& operand) {
    if (!operand.present) {
      key += " -";
      return;
    }
    key += fmt::format(" {}{}{}", operand.is_weight ? "w" : "", dtype_info(operand.dtype).name,
                       operand.shape.text());
  };
  for (const Operand& operand : operands) append(operand);
  append(output);
  return key;
}

}  // namespace snug
