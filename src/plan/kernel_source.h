// What the planner asks of whoever chooses kernels (runtime/kernel_set.h asks a backend). The answers become
// part of the plan; no memory is touched by asking.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/node_spec.h"

namespace snug {

struct KernelFacts {
  int kernel = -1;  // the source's own number for it; equal specs share one
  std::string name;
  size_t scratch_bytes = 0;
  std::vector<DType> weight_dtypes;       // by input; of those that are weights
  std::vector<uint64_t> weight_packings;  // by input: Kernel::weight_packing
  size_t packing_bytes = 0;               // most room that one of them takes
  std::vector<bool> may_overwrite;        // by input: the output may take its place
  bool splits_pixels = false, splits_channels = false;
  int64_t channel_step = 1;
  int64_t pixel_multiple = 1;  // parts by pixels: in multiples of so many pixel_steps (graph/op.h)
  std::vector<Declined> declined;
};

class KernelSource {
 public:
  virtual ~KernelSource() = default;
  // The reference stays valid as long as the source.
  virtual const KernelFacts& choose(const NodeSpec& node) = 0;
};

}  // namespace snug
