// Lists of the convolutions, matrix products and attentions that models consist of, kept as files
// (tests/fixtures/shapes/*.json), so that operator tests and benchmarks have the same ones. For them only;
// the program itself does not use this.
//
// A file is {"groups": [{"name", "about", "shapes": [SHAPE, ...]}, ...]}. A shape says how often it occurs in
// its group (count; 0 or left out: it does not, it stands for itself), and
//   "op": "conv2d"     input [N,C,H,W], outputs, kernel, stride (1), padding (kernel / 2, or 4 numbers: top,
//                      left, bottom, right)
//   "op": "linear"     input [rows, channels], outputs, gated (false; a GEGLU: as many outputs are the
//   gate's) "op": "attention"  query [N,L,C], keys, heads, causal (false)
#pragma once

#include <string>
#include <vector>

#include "graph/node_spec.h"

namespace snug {

struct OpShape {
  // Activations in F32, weights in F16 with a bias, as in most files; no residual and no
  // activation but a gate's.
  NodeSpec node;
  int count = 0;
};

struct OpShapeGroup {
  std::string name;   // "unet_step"
  std::string about;  // what it is a list of, in words
  std::vector<OpShape> shapes;
};

// Throws not_found, io_error, bad_config (naming the group).
std::vector<OpShapeGroup> read_op_shapes(const std::string& path);

// "conv2d 3x3 /2 [2,320,64,64] -> 320": one line that tells such nodes apart.
std::string shape_line(const NodeSpec& node);

}  // namespace snug
