#include "weights/lora.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "weights/lora_names.h"

namespace snug {
namespace {

// Extents without those of 1 behind the second: a 1x1 convolution is a matrix.
Shape without_unit_kernel(const Shape& shape) {
  int rank = shape.rank();
  while (rank > 2 && shape[rank - 1] == 1) --rank;
  return Shape(shape.extents().first(static_cast<size_t>(rank)));
}

Error other_shape(const LoraFile& file, const StoredTensor& key, std::string_view tensor,
                  const Shape& shape) {
  return Error(ErrorCode::kShapeMismatch,
               fmt::format("has shape {}, which does not fit the model's {} {}", key.shape.text(), tensor,
                           shape.text()),
               "this LoRA is for another model: use it with the one that it was made for")
      .in_file(file.source->name())
      .in_tensor(key.name);
}

StoredMatrix matrix(const LoraFile& file, const StoredTensor& tensor, int64_t rows) {
  return {file.source, tensor.dtype, tensor.offset, rows, tensor.shape.elements() / rows};
}

// Puts one LoRA on the parts.
class Application {
 public:
  Application(const LoraUse& use, const LoraNames& names, std::map<std::string, WeightIndex*>& parts)
      : use_(use), file_(*use.file), names_(names), parts_(parts) {
    outcome_.name = use.name;
    outcome_.weight = use.weight;
  }

  LoraOutcome run() {
    outcome_.unused = file_.others;
    for (const LoraModule& module : file_.modules) {
      used_.clear();
      bool known = false;
      for (const LoraNames::Module& target : names_.find(module.name)) {
        if (use_.part.empty() ? target.when_named : use_.part != target.part) continue;
        known = true;
        apply(module, target);
      }
      if (known) ++outcome_.modules;
      for (const std::string& key : module.keys) {
        const bool used = std::find(used_.begin(), used_.end(), key) != used_.end();
        if (!used) outcome_.unused.push_back(key);
      }
    }
    if (outcome_.modules == 0) refuse();
    std::sort(outcome_.unused.begin(), outcome_.unused.end());
    return std::move(outcome_);
  }

 private:
  void apply(const LoraModule& module, const LoraNames::Module& target) {
    WeightIndex& index = *parts_.at(target.part);
    const std::string whole =
        index.find(target.module + ".weight") ? target.module + ".weight" : target.module;
    if (const auto weight = index.find(whole)) {
      if (module.down.has_value()) add_product(module, index, whole, weight->shape);
      if (module.difference.has_value()) add_difference(*module.difference, index, whole, weight->shape, 1);
    }
    const std::string bias_name = target.module + ".bias";
    const auto bias = index.find(bias_name);
    if (!bias.has_value()) return;
    if (module.bias_difference.has_value())
      add_difference(*module.bias_difference, index, bias_name, bias->shape, 1);
    if (module.up_bias.has_value())
      add_difference(*module.up_bias, index, bias_name, bias->shape, module.factor());
  }

  void add_product(const LoraModule& module, WeightIndex& index, const std::string& tensor,
                   const Shape& shape) {
    const StoredTensor& down = *module.down;
    const StoredTensor& up = *module.up;
    // As the product has it: [C_out, ...] of [C_out, rank] and [rank, ...].
    if (shape.rank() < 2 || up.shape[0] != shape[0]) throw other_shape(file_, up, tensor, shape);
    Shape product = without_unit_kernel(down.shape);
    product.set(0, shape[0]);
    if (!(product == without_unit_kernel(shape))) throw other_shape(file_, down, tensor, shape);
    add(index, tensor,
        {matrix(file_, up, shape[0]), matrix(file_, down, module.rank()), factor(module.factor())});
    use(down);
    use(up);
    for (const std::string& key : module.keys) {
      if (key.ends_with(".alpha")) used_.push_back(key);
    }
  }

  void add_difference(const StoredTensor& difference, WeightIndex& index, const std::string& tensor,
                      const Shape& shape, double factor_of_module) {
    if (!(without_unit_kernel(difference.shape) == without_unit_kernel(shape)))
      throw other_shape(file_, difference, tensor, shape);
    // A vector is one row.
    const int64_t rows = shape.rank() < 2 ? 1 : shape[0];
    add(index, tensor, {{}, matrix(file_, difference, rows), factor(factor_of_module)});
    use(difference);
  }

  void add(WeightIndex& index, const std::string& tensor, WeightUpdate update) {
    outcome_.bytes += update.stored_bytes();
    if (use_.weight == 0) return;
    WeightUpdates updates;
    if (const WeightUpdates* before = index.updates(tensor)) updates = *before;
    updates.push_back(std::move(update));
    index.set_updates(tensor, std::move(updates));
  }

  float factor(double of_module) const {
    const double factor = use_.weight * of_module;
    if (std::fabs(factor) <= std::numeric_limits<float>::max()) return static_cast<float>(factor);
    throw Error(ErrorCode::kOutOfRange, "its weight times alpha / rank is beyond any float",
                "give a smaller weight")
        .in_file(file_.source->name());
  }
  void use(const StoredTensor& tensor) { used_.push_back(tensor.name); }

  [[noreturn]] void refuse() const {
    const std::string where = use_.part.empty() ? std::string("the model") : "its " + use_.part;
    throw Error(
        ErrorCode::kUnsupportedArchitecture,
        fmt::format("none of the {} modules that this LoRA changes is in {}", file_.modules.size(), where),
        "this LoRA is for another model: use it with the one that it was made for")
        .in_file(file_.source->name())
        .in_tensor(file_.modules.front().name);
  }

  const LoraUse& use_;
  const LoraFile& file_;
  const LoraNames& names_;
  std::map<std::string, WeightIndex*>& parts_;
  LoraOutcome outcome_;
  std::vector<std::string> used_;  // keys of the module at hand
};

}  // namespace

std::vector<LoraOutcome> apply_loras(std::span<const LoraUse> uses, WeightsByPart& parts) {
  std::vector<LoraOutcome> outcomes;
  if (uses.empty()) return outcomes;
  LoraNames names;
  WeightsByPart changed;
  std::map<std::string, WeightIndex*> indexes;
  for (const auto& [part, index] : parts) {
    names.add(part, index->names());
    auto copy = std::make_shared<WeightIndex>(*index);
    indexes[part] = copy.get();
    changed[part] = std::move(copy);
  }
  for (const LoraUse& use : uses) outcomes.push_back(Application(use, names, indexes).run());
  parts = std::move(changed);
  return outcomes;
}

}  // namespace snug
