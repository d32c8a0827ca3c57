// Runs one kernel on made-up operands, watched: for op tests and benchmarks.
//
// Every buffer stands between guard bytes, which hold a NaN pattern; the output and the scratch are filled
// with it too before each run, so what is read before it is written, or beside its buffer, shows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/kernel.h"

namespace snug {

// Memory as a plan would hand it out: aligned, but with guards on both sides that touch it.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t bytes = 0);
  std::byte* data() { return memory_.get() + kGuardBytes; }
  const std::byte* data() const { return memory_.get() + kGuardBytes; }
  size_t bytes() const { return bytes_; }
  void fill();  // with the pattern
  bool guards_intact() const;

 private:
  static constexpr size_t kGuardBytes = 256;
  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte[], Free> memory_;
  size_t bytes_ = 0;
};

// Values of each operand: activations in stored order, weights dense and row-major, ids as whole numbers.
using OperandValues = std::vector<std::vector<float>>;

// Reproducible values of the order of 1, weights of products scaled so that outputs are of that order too.
// Weights are exact in their file's type; in BF16 nodes all values are exact in BF16 too, so that rounding
// them costs nothing.
OperandValues made_up_operands(const NodeSpec& node);

// One run of a kernel on part of a node, with operands that hold no more than stated.
struct PartRun {
  Region part, output_held;
  std::vector<Region> inputs_held;  // of absent inputs: anything
  int over = -1;                    // the output lies where this input does; both hold the same region
};

class KernelTrial {
 public:
  KernelTrial(const NodeSpec& node, std::unique_ptr<Kernel> kernel, const OperandValues& values);

  // Fills output and scratch with the pattern, then runs.
  void run();
  // Runs on what is there: what benchmarks time.
  void run_only();
  // Runs with the output where that input lies (on a copy of it).
  void run_over(size_t input);
  // Runs one part on guarded copies of what it may hold, and puts the part into the output.
  void run_part(const PartRun& run);
  void clear_output();  // with the pattern: before the first of some parts
  // What each input must hold for a part.
  std::vector<Region> needed(const Region& part) const;

  const NodeSpec& node() const { return node_; }
  const Kernel& kernel() const { return *kernel_; }
  std::vector<float> output() const;
  std::vector<std::byte> output_bytes() const;
  // What went wrong besides values: guards, changed inputs. Empty when nothing did.
  std::string damage() const;

 private:
  std::byte* scratch_at() { return scratch_.bytes() == 0 ? nullptr : scratch_.data(); }
  int64_t unit_bytes(size_t index) const;  // of an element, or of a weight's row

  NodeSpec node_;
  std::unique_ptr<Kernel> kernel_;
  std::vector<GuardedBuffer> inputs_;
  std::vector<std::vector<std::byte>> as_read_;  // the inputs, weights not packed yet
  std::vector<std::vector<std::byte>> copies_;   // the inputs as kernels get them
  std::vector<OperandView> views_;
  GuardedBuffer output_, scratch_;
  std::string damage_of_parts_;
};

}  // namespace snug
