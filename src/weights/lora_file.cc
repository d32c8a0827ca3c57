#include "weights/lora_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "weights/read_values.h"
#include "weights/weight_file.h"

namespace snug {
namespace {

enum class Role { kDown, kUp, kAlpha, kDifference, kBiasDifference, kUpBias };

// Ends of keys. Longer ones before those that they end in.
constexpr auto kEnds = std::to_array<std::pair<std::string_view, Role>>({
    {".lora_down.weight", Role::kDown},
    {".lora_up.weight", Role::kUp},
    {".lora_A.weight", Role::kDown},
    {".lora_B.weight", Role::kUp},
    {".lora_A.default.weight", Role::kDown},
    {".lora_B.default.weight", Role::kUp},
    {".lora.down.weight", Role::kDown},
    {".lora.up.weight", Role::kUp},
    {".lora_linear_layer.down.weight", Role::kDown},
    {".lora_linear_layer.up.weight", Role::kUp},
    {"_lora.down.weight", Role::kDown},
    {"_lora.up.weight", Role::kUp},
    {".lora_B.bias", Role::kUpBias},
    {".alpha", Role::kAlpha},
    {".diff_b", Role::kBiasDifference},
    {".diff", Role::kDifference},
    {".b_norm", Role::kBiasDifference},
    {".w_norm", Role::kDifference},
});

// Parts of keys that only other kinds of update have.
constexpr auto kOtherKinds = std::to_array<std::pair<std::string_view, std::string_view>>({
    {".hada_", "LoHa"},
    {".lokr_", "LoKr"},
    {".oft_", "OFT"},
    {".boft_", "OFT"},
    {".dora_scale", "DoRA"},
    {".lora_magnitude_vector", "DoRA"},
    {".lora_mid.", "Tucker decomposition"},
    {".glora_", "GLoRA"},
    {".ia3_", "IA3"},
});

std::string_view other_kind(std::string_view key) {
  for (const auto& [part, kind] : kOtherKinds) {
    if (key.find(part) != std::string_view::npos) return kind;
  }
  return {};
}

struct SplitKey {
  std::string module;
  Role role;
};

std::optional<SplitKey> split_key(std::string_view key) {
  constexpr std::string_view kProcessor = ".processor.";
  for (const auto& [end, role] : kEnds) {
    if (!key.ends_with(end) || key.size() == end.size()) continue;
    std::string module(key.substr(0, key.size() - end.size()));
    // Older diffusers: the attention's processor had the updates of its projections.
    const size_t at = module.find(kProcessor);
    if (at != std::string::npos) {
      module.erase(at, kProcessor.size() - 1);
      if (module.ends_with(".to_out")) module += ".0";
    }
    return SplitKey{std::move(module), role};
  }
  return std::nullopt;
}

Error fault(ErrorCode code, std::string problem, const ByteSource& source, std::string_view key) {
  Error error(code, std::move(problem), "get the LoRA again, or from another source");
  error.in_file(source.name()).in_tensor(key);
  return error;
}

double read_alpha(const ByteSource& source, const StoredTensor& tensor) {
  std::array<float, 1> value = {};
  if (tensor.shape.elements() != 1 || is_quantised(tensor.dtype)) {
    throw fault(ErrorCode::kShapeMismatch,
                fmt::format("an alpha is one number; this has shape {}", tensor.shape.text()), source,
                tensor.name);
  }
  read_values(source, tensor.dtype, tensor.offset, 0, value);
  if (!std::isfinite(value[0])) {
    throw fault(ErrorCode::kBadHeader, "its alpha is no finite number", source, tensor.name);
  }
  return value[0];
}

void put(std::optional<StoredTensor>& place, const StoredTensor& tensor, const ByteSource& source) {
  if (place.has_value()) {
    throw fault(ErrorCode::kDuplicate, fmt::format("it is there twice, as '{}' too", place->name), source,
                tensor.name);
  }
  if (tensor.shape.elements() == 0)
    throw fault(ErrorCode::kShapeMismatch, fmt::format("{} has no elements", tensor.shape.text()), source,
                tensor.name);
  if (is_quantised(tensor.dtype))
    throw fault(ErrorCode::kUnsupported, "factors of a LoRA are not quantised", source, tensor.name);
  place = tensor;
}

void add(LoraModule& module, Role role, const StoredTensor& tensor, const ByteSource& source) {
  module.keys.push_back(tensor.name);
  switch (role) {
    case Role::kDown: return put(module.down, tensor, source);
    case Role::kUp: return put(module.up, tensor, source);
    case Role::kDifference: return put(module.difference, tensor, source);
    case Role::kBiasDifference: return put(module.bias_difference, tensor, source);
    case Role::kUpBias: return put(module.up_bias, tensor, source);
    case Role::kAlpha: module.alpha = read_alpha(source, tensor); return;
  }
}

// [C_out, rank], or the same with trailing ones.
bool is_matrix(const Shape& shape) {
  if (shape.rank() < 2) return false;
  for (int i = 2; i < shape.rank(); ++i) {
    if (shape[i] != 1) return false;
  }
  return true;
}

void check_module(const LoraModule& module, const ByteSource& source) {
  if (module.down.has_value() != module.up.has_value()) {
    const bool has_down = module.down.has_value();
    throw fault(ErrorCode::kMissingTensor,
                fmt::format("the {} factor of this module is not in the file", has_down ? "up" : "down"),
                source, (has_down ? module.down : module.up)->name);
  }
  if (!module.down.has_value()) return;
  const Shape& down = module.down->shape;
  const Shape& up = module.up->shape;
  if (down.rank() < 2)
    throw fault(ErrorCode::kShapeMismatch, fmt::format("{} is no factor of a product", down.text()), source,
                module.down->name);
  if (!is_matrix(up))
    throw fault(ErrorCode::kShapeMismatch, fmt::format("{} is no factor of a product", up.text()), source,
                module.up->name);
  if (up[1] != down[0]) {
    throw fault(ErrorCode::kShapeMismatch,
                fmt::format("the ranks of its factors differ: {} down, {} up", down[0], up[1]), source,
                module.up->name);
  }
}

}  // namespace

LoraFile read_lora_file(std::shared_ptr<const ByteSource> source) {
  const WeightFile file = read_weight_file(source);
  LoraFile lora;
  std::map<std::string, LoraModule> modules;
  for (const StoredTensor& tensor : file.tensors) {
    if (const std::string_view kind = other_kind(tensor.name); !kind.empty()) {
      throw Error(ErrorCode::kUnsupported, fmt::format("is a {}, which Snug does not apply", kind),
                  "use a LoRA, or convert it to one")
          .in_file(source->name())
          .in_tensor(tensor.name);
    }
    auto split = split_key(tensor.name);
    if (!split) {
      lora.others.push_back(tensor.name);
      continue;
    }
    LoraModule& module = modules[split->module];
    module.name = std::move(split->module);
    add(module, split->role, tensor, *source);
  }
  for (auto& item : modules) {
    LoraModule& module = item.second;
    check_module(module, *source);
    const bool changes = module.down || module.difference || module.bias_difference;
    if (changes) {
      lora.modules.push_back(std::move(module));
    } else {
      lora.others.insert(lora.others.end(), module.keys.begin(), module.keys.end());
    }
  }
  if (lora.modules.empty()) {
    throw Error(ErrorCode::kUnsupportedArchitecture, "has no LoRA in it",
                "use a safetensors file with a LoRA in kohya's, PEFT's or diffusers' naming")
        .in_file(source->name());
  }
  std::sort(lora.others.begin(), lora.others.end());
  lora.source = std::move(source);
  return lora;
}

}  // namespace snug
