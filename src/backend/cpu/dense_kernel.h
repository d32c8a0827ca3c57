// What the CPU backend's own kernels share: dense F32 weights, the element types they take, and the functions
// that kernel_list.cc lists. Convolution, matrix product and attention stand in files of their own.
//
// All of them compute in f32, read F32 or BF16 activations and write the same type; results do not depend
// on the thread count. Each accepts a node or says why not.
#pragma once

#include <memory>
#include <string>

#include "backend/kernel.h"

namespace snug {

class DenseKernel : public Kernel {
 public:
  explicit DenseKernel(const NodeSpec& node) : node_(node) {}

 protected:
  NodeSpec node_;
};

// Whether activations come and go in one type, F32 or BF16; else `reason` says what is in the way.
bool takes_types_of(const NodeSpec& node, std::string& reason);

std::unique_ptr<Kernel> make_group_norm(const NodeSpec& node, std::string& reason);
std::unique_ptr<Kernel> make_layer_norm(const NodeSpec& node, std::string& reason);
// activation, geglu, add, add_channels, affine and cast.
std::unique_ptr<Kernel> make_elementwise(const NodeSpec& node, std::string& reason);
// concat, slice and upsample_nearest: copies of whole runs of bytes, any plain element type.
std::unique_ptr<Kernel> make_copy(const NodeSpec& node, std::string& reason);

}  // namespace snug
