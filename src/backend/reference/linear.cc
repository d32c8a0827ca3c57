#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"

namespace snug::reference {
namespace {

// The input's product with the weight that is operand `index`, plus the bias behind it.
class Product {
 public:
  Product(const NodeSpec& node, const KernelArgs& args, int index)
      : x_(node, args, 0),
        weight_(node, args, index),
        bias_(node, args, index + 1),
        inputs_(node.operands[1].shape[1]) {}

  double at(int64_t row, int64_t output) const {
    double sum = 0;
    for (int64_t k = 0; k < inputs_; ++k) {
      sum += static_cast<double>(x_[row * inputs_ + k]) * weight_[output * inputs_ + k];
    }
    return bias_.present() ? sum + bias_[output] : sum;
  }

 private:
  Elements x_, weight_, bias_;
  int64_t inputs_;
};

// value(row, output channel, index of the element) for all elements.
template <typename Value>
void for_each_output(const NodeSpec& node, const KernelArgs& args, const Value& value) {
  const Output output(node, args);
  const int64_t outputs = node.operands[1].shape[0];
  parallel_for(node.output.shape.elements(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) output.set(i, value(i / outputs, i % outputs, i));
  });
}

}  // namespace

void linear(const NodeSpec& node, const KernelArgs& args) {
  const auto& attrs = std::get<LinearAttrs>(node.attrs);
  const Product product(node, args, 1);
  if (attrs.gated) {
    const Product gate(node, args, 4);
    return for_each_output(node, args, [&](int64_t row, int64_t m, int64_t) {
      return product.at(row, m) * apply(attrs.activation, gate.at(row, m));
    });
  }
  const Elements residual(node, args, 3);
  for_each_output(node, args, [&](int64_t row, int64_t m, int64_t i) {
    const double sum = product.at(row, m);
    return apply(attrs.activation, residual.present() ? sum + residual[i] : sum);
  });
}

}  // namespace snug::reference
