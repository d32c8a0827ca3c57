#include "backend/backend.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/kernel_list.h"
#include "base/check.h"
#include "base/parallel.h"

namespace snug {
namespace {

class CpuBackend final : public Backend {
 public:
  // The instruction set is settled before the first kernel is asked for.
  CpuBackend() : isa_(used_isa()) {}

  std::string_view name() const override { return "cpu"; }

  KernelChoice choose(const NodeSpec& node) const override {
    SNUG_CHECK(!op_info(node.op).is_view, "no kernel runs a view");
    return choose_from(cpu_candidates(node.op), node);
  }

  // With instructions for it, BF16 products run at about twice the F32 rate (`./dev bench ops bf16`).
  std::vector<DType> precisions() const override {
    if (isa_ >= Isa::kAvx512Bf16) return {DType::kBF16, DType::kF32};
    return {DType::kF32, DType::kBF16};  // half of the memory, no less time
  }

  std::vector<std::pair<std::string, std::string>> describe() const override {
    return {{"instruction set of the machine", std::string(isa_name(machine_isa()))},
            {"instruction set used", std::string(isa_name(isa_))},
            {"threads", std::to_string(thread_count())}};
  }

 private:
  Isa isa_;
};

}  // namespace

const Backend& cpu_backend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace snug
