// conv3d as a matrix product over shifted rows, as conv2d is (conv2d.cc): frames are further taps.
#include "backend/cpu/conv3d.h"

#include "backend/cpu/gemm.h"

namespace snug {
namespace {

int64_t window_of(const Operand& weight) { return weight.shape[2] * weight.shape[3] * weight.shape[4]; }

class Conv3d final : public ProductKernel {
 public:
  explicit Conv3d(const NodeSpec& node)
      : ProductKernel({node.output.dtype, product_weight_type(node.operands[kProductWeight]),
                       window_of(node.operands[kProductWeight]), node.operands[kProductWeight].shape[1],
                       node.operands[kProductWeight].shape[0], std::get<Conv3dAttrs>(node.attrs).activation}),
        attrs_(std::get<Conv3dAttrs>(node.attrs)),
        in_(node.operands[kProductX].shape),
        window_(node.operands[kProductWeight].shape),
        out_height_(node.output.shape[3]),
        out_width_(node.output.shape[4]),
        element_bytes_(element_bytes(node.output.dtype)) {}

  std::string_view name() const override { return "cpu_conv3d"; }

 protected:
  void locate(const OperandView& x, int64_t image, int64_t pixel, int64_t channel,
              const std::byte** pointers) const override {
    const int64_t frames = in_[2], height = in_[3], width = in_[4];
    const int64_t out_row = pixel / out_width_;
    const int64_t front = out_row / out_height_ * attrs_.time_stride - attrs_.pad_front;
    const int64_t top = out_row % out_height_ * attrs_.stride - attrs_.pad_top;
    const int64_t left = pixel % out_width_ * attrs_.stride - attrs_.pad_left;
    for (int64_t kt = 0; kt < window_[2]; ++kt) {
      const int64_t frame = front + kt;
      const bool seen = frame >= attrs_.unseen_frames && frame >= 0 && frame < frames;
      for (int64_t ky = 0; ky < window_[3]; ++ky) {
        const int64_t row = top + ky;
        for (int64_t kx = 0; kx < window_[4]; ++kx, pointers += kMostTileRows) {
          const int64_t column = left + kx;
          const bool inside = seen && row >= 0 && row < height && column >= 0 && column < width;
          *pointers =
              inside ? element_at(x, image, (frame * height + row) * width + column, channel, element_bytes_)
                     : zero_row();
        }
      }
    }
  }

 private:
  Conv3dAttrs attrs_;
  Shape in_, window_;
  int64_t out_height_, out_width_, element_bytes_;
};

}  // namespace

std::unique_ptr<Kernel> make_conv3d(const NodeSpec& node, std::string& reason) {
  if (!product_takes(node, reason)) return nullptr;
  return std::make_unique<Conv3d>(node);
}

}  // namespace snug
