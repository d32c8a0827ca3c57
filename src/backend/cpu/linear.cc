// linear: the plain case of gemm.h, one tap, and each output pixel's inputs are its own.
#include "backend/cpu/linear.h"

#include "backend/cpu/gemm.h"

namespace snug {
namespace {

class Linear final : public ProductKernel {
 public:
  explicit Linear(const NodeSpec& node)
      : ProductKernel({node.output.dtype, product_weight_type(node.operands[kProductWeight]), 1,
                       node.operands[kProductWeight].shape[1], node.operands[kProductWeight].shape[0],
                       std::get<LinearAttrs>(node.attrs).activation,
                       std::get<LinearAttrs>(node.attrs).gated}),
        element_bytes_(element_bytes(node.output.dtype)) {}

  std::string_view name() const override { return "cpu_linear"; }

 protected:
  void locate(const OperandView& x, int64_t image, int64_t pixel, int64_t channel,
              const std::byte** pointers) const override {
    *pointers = element_at(x, image, pixel, channel, element_bytes_);
  }

 private:
  int64_t element_bytes_;
};

}  // namespace

std::unique_ptr<Kernel> make_linear(const NodeSpec& node, std::string& reason) {
  if (!product_takes(node, reason)) return nullptr;
  return std::make_unique<Linear>(node);
}

}  // namespace snug
