#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"

namespace snug::reference {

void linear(const NodeSpec& node, const KernelArgs& args) {
  const Elements x(node, args, 0), weight(node, args, 1), bias(node, args, 2), residual(node, args, 3);
  const Output output(node, args);
  const int64_t outputs = node.operands[1].shape[0], inputs = node.operands[1].shape[1];
  const int64_t rows = node.output.shape.elements() / outputs;
  parallel_for(rows * outputs, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / outputs, m = i % outputs;
      double sum = 0;
      for (int64_t k = 0; k < inputs; ++k)
        sum += static_cast<double>(x[row * inputs + k]) * weight[m * inputs + k];
      if (bias.present()) sum += bias[m];
      if (residual.present()) sum += residual[i];
      output.set(i, apply(std::get<LinearAttrs>(node.attrs).activation, sum));
    }
  });
}

}  // namespace snug::reference
