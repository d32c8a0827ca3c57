#include "graph/weight_scope.h"

#include "base/error.h"

namespace snug {

WeightScope WeightScope::sub(std::string_view name) const { return WeightScope(*source_, full_name(name)); }

WeightScope WeightScope::sub(std::string_view name, int64_t index) const {
  return sub(std::string(name) + "." + std::to_string(index));
}

std::string WeightScope::full_name(std::string_view tensor) const {
  return prefix_.empty() ? std::string(tensor) : prefix_ + "." + std::string(tensor);
}

bool WeightScope::has(std::string_view tensor) const { return source_->find(full_name(tensor)).has_value(); }

WeightInfo WeightScope::require(std::string_view tensor) const {
  const std::string full = full_name(tensor);
  const std::optional<WeightInfo> info = source_->find(full);
  if (!info.has_value()) {
    throw Error(ErrorCode::kMissingTensor, "the architecture needs it and the file does not have it",
                "use a complete checkpoint of this architecture")
        .in_file(source_->name())
        .in_tensor(full);
  }
  return *info;
}

}  // namespace snug
