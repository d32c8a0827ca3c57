// The same work by oneDNN, for comparison: weights packed beforehand into the layout that it likes best,
// activations channels-last as Snug keeps them, or, of convolutions, in oneDNN's own blocks. Attention is two
// products and a softmax between them, image by image, with all scores in memory: oneDNN 2.6 has no other.
#pragma once

#include "bench/sampling.h"
#include "graph/node_spec.h"

namespace snug::bench {

// The ways there are, each a body that runs the whole node on operands of its own; the fastest is oneDNN's
// figure. `node`: a conv2d or linear with bias and no residual, or an attention that is not causal; F32 or
// BF16. Of anything else: none.
Bodies onednn_ways(const NodeSpec& node);

}  // namespace snug::bench
