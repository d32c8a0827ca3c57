#include "backend/backend.h"
#include "backend/reference/kernel_list.h"
#include "base/check.h"

namespace snug {
namespace {

class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  KernelChoice choose(const NodeSpec& node) const override {
    SNUG_CHECK(!op_info(node.op).is_view, "no kernel runs a view");
    return choose_from({&reference_candidate(node.op), 1}, node);
  }
  std::vector<DType> precisions() const override { return {DType::kF32, DType::kBF16}; }
  std::vector<std::pair<std::string, std::string>> describe() const override {
    return {{"kernels", "plain loops, double accumulation"}};
  }
};

}  // namespace

const Backend& reference_backend() {
  static const ReferenceBackend backend;
  return backend;
}

}  // namespace snug
