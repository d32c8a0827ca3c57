#include "runtime/kernel_set.h"

namespace snug {

const KernelFacts& KernelSet::choose(const NodeSpec& node) {
  const auto [found, fresh] = facts_.try_emplace(node.key());
  KernelFacts& facts = found->second;
  if (!fresh) return facts;
  KernelChoice choice = backend_.choose(node);
  facts.kernel = static_cast<int>(kernels_.size());
  facts.name = choice.kernel->name();
  facts.scratch_bytes = choice.kernel->scratch_bytes();
  facts.weight_forms.resize(node.operands.size());
  for (size_t i = 0; i < node.operands.size(); ++i) {
    if (node.operands[i].present && node.operands[i].is_weight) {
      facts.weight_forms[i] = choice.kernel->weight_form(static_cast<int>(i));
    }
  }
  facts.declined = std::move(choice.declined);
  kernels_.push_back(std::move(choice.kernel));
  return facts;
}

size_t KernelSet::code_bytes() const {
  size_t bytes = 0;
  for (const auto& kernel : kernels_) bytes += kernel->code_bytes();
  return bytes;
}

void KernelSet::prepare(const Cancellation& cancellation) {
  for (const auto& kernel : kernels_) {
    cancellation.check();
    kernel->prepare();
  }
}

}  // namespace snug
