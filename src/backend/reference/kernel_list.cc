#include "backend/reference/kernel_list.h"

#include <array>

#include "backend/reference/reference_kernel.h"
#include "backend/stored_layout.h"
#include "base/check.h"

namespace snug {
namespace {

using RunFunction = void (*)(const NodeSpec& node, const KernelArgs& args);

class ReferenceKernel final : public Kernel {
 public:
  ReferenceKernel(std::string_view name, RunFunction function, const NodeSpec& node)
      : name_(name), function_(function), node_(node) {}

  std::string_view name() const override { return name_; }
  size_t scratch_bytes() const override {
    return node_.op == Op::kAttention ? reference::attention_scratch_bytes(node_) : 0;
  }
  DType weight_dtype(int index) const override {
    return unexpanded_dtype(node_.operands[static_cast<size_t>(index)]);
  }
  void run(const KernelArgs& args) const override {
    const Region whole = whole_region(node_.output.shape);
    SNUG_CHECK(args.part == whole && args.output_held == whole, "reference kernels compute all of a node");
    function_(node_, args);
  }

 private:
  std::string_view name_;
  RunFunction function_;
  NodeSpec node_;
};

template <const auto& kName, RunFunction kFunction>
std::unique_ptr<Kernel> make(const NodeSpec& node, std::string& /*reason*/) {
  return std::make_unique<ReferenceKernel>(kName, kFunction, node);
}

#define SNUG_REFERENCE(op)                                      \
  [] {                                                          \
    static constexpr std::string_view kName = "reference_" #op; \
    return KernelCandidate{kName, make<kName, reference::op>};  \
  }()

}  // namespace

const KernelCandidate& reference_candidate(Op op) {
  // In the order of the enumeration.
  static const std::array<KernelCandidate, kOpCount> kList = {{
      SNUG_REFERENCE(conv2d),
      SNUG_REFERENCE(linear),
      SNUG_REFERENCE(group_norm),
      SNUG_REFERENCE(group_statistics),
      SNUG_REFERENCE(group_norm_apply),
      SNUG_REFERENCE(layer_norm),
      SNUG_REFERENCE(rms_norm),
      SNUG_REFERENCE(activation),
      SNUG_REFERENCE(add),
      SNUG_REFERENCE(add_channels),
      SNUG_REFERENCE(affine),
      SNUG_REFERENCE(concat),
      SNUG_REFERENCE(slice),
      SNUG_REFERENCE(upsample_nearest),
      SNUG_REFERENCE(embedding),
      SNUG_REFERENCE(attention),
      SNUG_REFERENCE(timestep_embedding),
      {"tokens", nullptr},
      {"image", nullptr},
      {"reshape", nullptr},
      SNUG_REFERENCE(conv3d),
      SNUG_REFERENCE(modulate),
      SNUG_REFERENCE(gated_add),
      SNUG_REFERENCE(rotary),
      SNUG_REFERENCE(depth_to_space),
      SNUG_REFERENCE(space_to_depth),
      SNUG_REFERENCE(first_frame),
      SNUG_REFERENCE(cast),
  }};
  return kList[static_cast<size_t>(op)];
}

}  // namespace snug
