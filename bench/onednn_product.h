// The same convolution or matrix product by oneDNN, for comparison: weights packed beforehand into the layout
// that it likes best, activations channels-last as Snug keeps them, or, of convolutions, in oneDNN's own
// blocks where that is faster.
#pragma once

#include <memory>

#include "graph/node_spec.h"

namespace snug::bench {

class OnednnProduct {
 public:
  // `node`: a conv2d or linear with bias and no residual, F32 or BF16 activations.
  OnednnProduct(const NodeSpec& node, bool own_layout);
  ~OnednnProduct();
  void run();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace snug::bench
