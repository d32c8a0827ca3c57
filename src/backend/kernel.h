// One node of a graph, ready to run: what a backend promises for it.
//
// Life of a kernel: the planner asks a Backend for it (backend.h), reads what it needs (scratch, forms of the
// weights) and puts those bytes into the plan; the loader calls pack_weight for each weight; the executor
// calls prepare once and run once or many times. A kernel holds no tensor memory of its own: operands, packed
// weights and scratch are pointers into the arena, handed to run.
//
// Threads: const methods may be called from several threads at once, but run uses all cores itself. run does
// not allocate (what a library inside allocates for the length of the call is said in the kernel's file).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/node_spec.h"

namespace snug {

struct KernelArgs {
  std::span<const std::byte* const> inputs;  // weights in their form; null for absent ones
  std::byte* output = nullptr;
  std::byte* scratch = nullptr;  // scratch_bytes() of it, 64-byte aligned; null when 0
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  // "onednn_conv2d", "reference_linear": for plans, profiles and tests.
  virtual std::string_view name() const = 0;
  virtual size_t scratch_bytes() const { return 0; }
  // Form of input `index`, which is a weight. Default: dense F32.
  virtual WeightForm weight_form(int index) const = 0;
  // Dense F32 → the packed form; only for inputs whose form is packed.
  virtual void pack_weight(int index, std::span<const float> dense, std::byte* out) const;
  // Makes what running needs besides memory of the plan (compiled code). Called once before the first run or
  // pack_weight; may be slow.
  virtual void prepare() {}
  // Bytes that prepare adds to the process outside the arena: predicted by the backend.
  virtual size_t code_bytes() const { return 0; }
  virtual void run(const KernelArgs& args) const = 0;
};

}  // namespace snug
