// conv2d as a matrix product over shifted rows: every pixel of every tap of the window is a row of channels
// where it lies in the picture, or a row of zeros beyond its edge (gemm.h).
#include "backend/cpu/conv2d.h"

#include "backend/cpu/gemm.h"

namespace snug {
namespace {

class Conv2d final : public ProductKernel {
 public:
  explicit Conv2d(const NodeSpec& node)
      : ProductKernel({node.output.dtype, product_weight_type(node.operands[kProductWeight]),
                       node.operands[kProductWeight].shape[2] * node.operands[kProductWeight].shape[3],
                       node.operands[kProductWeight].shape[1], node.operands[kProductWeight].shape[0],
                       std::get<Conv2dAttrs>(node.attrs).activation}),
        attrs_(std::get<Conv2dAttrs>(node.attrs)),
        height_(node.operands[kProductX].shape[2]),
        width_(node.operands[kProductX].shape[3]),
        window_height_(node.operands[kProductWeight].shape[2]),
        window_width_(node.operands[kProductWeight].shape[3]),
        out_width_(node.output.shape[3]),
        element_bytes_(element_bytes(node.output.dtype)) {}

  std::string_view name() const override { return "cpu_conv2d"; }

 protected:
  void locate(const OperandView& x, int64_t image, int64_t pixel, int64_t channel,
              const std::byte** pointers) const override {
    const int64_t top = pixel / out_width_ * attrs_.stride - attrs_.pad_top;
    const int64_t left = pixel % out_width_ * attrs_.stride - attrs_.pad_left;
    for (int64_t ky = 0; ky < window_height_; ++ky) {
      for (int64_t kx = 0; kx < window_width_; ++kx, pointers += kMostTileRows) {
        const int64_t row = top + ky, column = left + kx;
        const bool inside = row >= 0 && row < height_ && column >= 0 && column < width_;
        *pointers =
            inside ? element_at(x, image, row * width_ + column, channel, element_bytes_) : zero_row();
      }
    }
  }

 private:
  Conv2dAttrs attrs_;
  int64_t height_, width_, window_height_, window_width_, out_width_, element_bytes_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv2d(const NodeSpec& node, std::string& reason) {
  if (!product_takes(node, reason)) return nullptr;
  return std::make_unique<Conv2d>(node);
}

}  // namespace snug
