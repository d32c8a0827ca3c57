// What the CPU backend's own kernels share: dense F32 weights, the element types they take, and the functions
// that kernel_list.cc lists. Convolution, matrix product and attention stand in files of their own.
//
// All of them compute in f32, read F32 or BF16 activations and write the same type; results do not depend
// on the thread count. Each accepts a node or says why not.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "backend/kernel.h"
#include "base/parallel.h"

namespace snug {

// Its splits, where it has any, are by pixels: an operand holds all channels of the pixels that it holds.
class DenseKernel : public Kernel {
 public:
  explicit DenseKernel(const NodeSpec& node) : node_(node) {}

 protected:
  NodeSpec node_;
};

// Calls body(image, begin, end) for runs of pixels [begin, end) of one image, that together are the part, on
// all threads; runs are `grain` pixels or more where images are.
template <typename Body>
void for_each_run(const Region& part, int64_t grain, const Body& body) {
  const int64_t pixels = part.pixels.size();
  parallel_for(part.images.size() * pixels, grain, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t first = begin % pixels, count = std::min(end - begin, pixels - first);
      const int64_t pixel = part.pixels.begin + first;
      body(part.images.begin + begin / pixels, pixel, pixel + count);
      begin += count;
    }
  });
}

// Whether activations come and go in one type, F32 or BF16; else `reason` says what is in the way.
bool takes_types_of(const NodeSpec& node, std::string& reason);

std::unique_ptr<Kernel> make_group_statistics(const NodeSpec& node, std::string& reason);
std::unique_ptr<Kernel> make_group_norm_apply(const NodeSpec& node, std::string& reason);
std::unique_ptr<Kernel> make_layer_norm(const NodeSpec& node, std::string& reason);
std::unique_ptr<Kernel> make_modulate(const NodeSpec& node, std::string& reason);
std::unique_ptr<Kernel> make_gated_add(const NodeSpec& node, std::string& reason);
std::unique_ptr<Kernel> make_rotary(const NodeSpec& node, std::string& reason);
// depth_to_space, space_to_depth and first_frame.
std::unique_ptr<Kernel> make_blocks(const NodeSpec& node, std::string& reason);
std::unique_ptr<Kernel> make_rms_norm(const NodeSpec& node, std::string& reason);
// Attention with a bias by relative position, for texts.
std::unique_ptr<Kernel> make_biased_attention(const NodeSpec& node, std::string& reason);
// activation, add, add_channels, affine and cast.
std::unique_ptr<Kernel> make_elementwise(const NodeSpec& node, std::string& reason);
// concat, slice and upsample_nearest: copies of whole runs of bytes, any plain element type.
std::unique_ptr<Kernel> make_copy(const NodeSpec& node, std::string& reason);

}  // namespace snug
