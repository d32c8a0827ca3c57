// One node of a graph, ready to run: what a backend promises for it.
//
// Life of a kernel: the planner asks a Backend for it (backend.h), reads what it needs and may do (scratch,
// element types of weights, splits) and puts those bytes and parts into the plan; weights are packed as they
// come (pack_weight), and the executor calls run. A kernel holds no tensor memory of its own: operands and
// scratch are pointers into the arena, handed to run.
//
// A run computes one part of the node's output: all of it, or some pixels, or some channels (graph/region.h).
// Every output element gets the same bits whatever the part it is computed in, and whatever the number of
// threads: that is what makes a plan's splits invisible in the picture.
//
// Threads: const methods may be called from several threads at once, but run uses all cores itself. run does
// not allocate.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "graph/node_spec.h"
#include "graph/region.h"

namespace snug {

// Where an operand lies: `held` is the part of it that is in memory, densely, images outermost and channels
// innermost; `data` is its first element. A run reads only what input_region (graph/op.h) says its part
// needs, and `held` contains that. A weight holds rows `held.channels` of dimension 0, dense in its
// weight_dtype.
struct OperandView {
  const std::byte* data = nullptr;  // null for an operand that is absent
  Region held;
};

struct KernelArgs {
  std::span<const OperandView> inputs;  // one for each of the node's
  std::byte* output = nullptr;          // of the first element held
  Region output_held;
  Region part;                   // of the output, to be computed; inside output_held
  std::byte* scratch = nullptr;  // scratch_bytes() of it, 64-byte aligned; null when 0
};

// How a node's work may be cut. A kernel that allows neither is only ever run on its whole output.
struct Splits {
  // One image's pixels [a, b), both multiples of pixel_step (graph/op.h) or the end; all channels.
  bool pixels = false;
  // All images and pixels, channels [a, b), both multiples of channel_step or the end. Inputs that are cut
  // with it (input_region): the weight's rows; for attention also the heads of q, k and v.
  bool channels = false;
  int64_t channel_step = 1;
  // Parts by pixels begin and end at multiples of so many pixel_steps, or the end.
  int64_t row_step = 1;
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  // "cpu_conv2d", "reference_linear": for plans, profiles and tests.
  virtual std::string_view name() const = 0;
  virtual size_t scratch_bytes() const { return 0; }
  // Element type in which input `index`, a weight, is to lie in memory, dense and row-major: the type in the
  // file where the kernel reads that itself, else F32. Default: F32.
  virtual DType weight_dtype(int index) const;
  // How input `index`, a weight, is to be rearranged once it has been read; 0: not at all. Equal numbers for
  // one weight are the same arrangement, so that two kernels may share it.
  virtual uint64_t weight_packing(int /*index*/) const { return 0; }
  // Bytes of room that rearranging takes.
  virtual size_t packing_bytes(int /*index*/) const { return 0; }
  // Rearranges `count` rows of the weight in place: those from a multiple of channel_step to another, or to
  // the end. run is given only rearranged rows. Called by the thread that reads weights, while others run
  // kernels.
  virtual void pack_weight(int /*index*/, std::byte* /*rows*/, int64_t /*count*/, std::byte* /*room*/) const {
  }
  virtual Splits splits() const { return {}; }
  // True when the output may lie exactly where that input lies (same shape and element type).
  virtual bool may_overwrite(int /*index*/) const { return false; }
  virtual void run(const KernelArgs& args) const = 0;
};

// Rearranges all `count` rows of a weight that has just been read, with room of its own: for whoever runs
// kernels without a plan. Nothing where the kernel takes them as they are.
void pack_whole_weight(const Kernel& kernel, int index, std::byte* rows, int64_t count);

// Address of image n, pixel p, channel c of an operand whose elements have that size.
inline const std::byte* element_at(const OperandView& view, int64_t image, int64_t pixel, int64_t channel,
                                   int64_t element_bytes) {
  const Region& held = view.held;
  const int64_t row = (image - held.images.begin) * held.pixels.size() + (pixel - held.pixels.begin);
  return view.data + (row * held.channels.size() + (channel - held.channels.begin)) * element_bytes;
}
inline std::byte* output_at(const KernelArgs& args, int64_t image, int64_t pixel, int64_t channel,
                            int64_t element_bytes) {
  return const_cast<std::byte*>(
      element_at({args.output, args.output_held}, image, pixel, channel, element_bytes));
}

}  // namespace snug
