// Matrix product with the weight in the precision of its file: what conv2d.cc and linear.cc share.
//
// Output pixel p, channel o is activation(bias[o] + residual[p][o] + Σ over taps and channels of x weight).
// A gated one is (bias[o] + Σ x weight) activation(gate_bias[o] + Σ x gate_weight): two products of the same
// rows, side by side, so that only their result is stored. Each kernel says where the inputs of a pixel lie,
// tap by tap; the rest is here. Weights are packed once, in place (packed_weight.h), and multiplied as they
// lie or widened panel by panel in scratch, never as a whole.
//
// Order of summation: the inner indices in blocks of channels, in a block tap by tap, one chain of
// multiply-adds that begins at 0; bias plus residual, and to it the sums of the blocks in their order.
// (Chains that go on from what is there lose more to rounding.) It follows from the node's shape alone, so
// every part of the output has the bits that it has in the whole, with any number of threads.
//
// Element types: activations all F32 or all BF16; sums are F32 in both. Weights F32, F16 or BF16; with BF16
// activations they are rounded to BF16. Bias F32.
//
// Threads: run may be called by several at once. Throws nothing.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "backend/cpu/gemm_rows.h"
#include "backend/cpu/gemm_tile.h"
#include "backend/cpu/packed_weight.h"
#include "backend/kernel.h"

namespace snug {

// Operands of conv2d and linear.
enum ProductOperand : size_t {
  kProductX,
  kProductWeight,
  kProductBias,
  kProductResidual,
  kProductGateWeight,
  kProductGateBias
};

struct ProductShape {
  DType type = DType::kF32;         // of activations
  DType weight_type = DType::kF32;  // in memory
  int64_t taps = 1;                 // weights per input and output channel: a convolution's window
  int64_t channels = 0, outputs = 0;
  Activation activation = Activation::kNone;
  bool gated = false;
};

class ProductKernel : public Kernel {
 public:
  explicit ProductKernel(const ProductShape& shape);

  size_t scratch_bytes() const final;
  DType weight_dtype(int index) const final;
  uint64_t weight_packing(int index) const final;
  size_t packing_bytes(int index) const final;
  void pack_weight(int index, std::byte* rows, int64_t count, std::byte* room) const final;
  Splits splits() const final;
  bool may_overwrite(int index) const final;
  void run(const KernelArgs& args) const final;

 protected:
  // For each tap, where channel `channel` of the pixel lies that output pixel `pixel` meets there, in
  // pointers[tap * kMostTileRows]; zero_row() where there is none.
  virtual void locate(const OperandView& x, int64_t image, int64_t pixel, int64_t channel,
                      const std::byte** pointers) const = 0;
  // As many zeros as a block has channels.
  static const std::byte* zero_row();

 private:
  struct Run;
  struct Task;
  struct Tile;
  struct Strip;
  struct Sums;
  struct Scratch;

  int products() const { return shape_.gated ? 2 : 1; }
  // A task takes all its rows past one panel after the other; else a tile past all the panels of the task.
  bool by_panel() const { return tiles_.interleave != nullptr; }
  int64_t most_panels() const;
  static bool is_matrix(int index);
  Scratch scratch_of(std::byte* memory) const;
  void cut_finer(Run& run) const;
  Task task_of(const Run& run, int64_t index) const;
  int64_t row_cut(int64_t rows, int64_t piece, int64_t pieces) const;
  void compute(const Run& run, const Task& task, std::byte* memory) const;
  void take_tiles(const Run& run, const Task& task, const Tile& block, const Scratch& scratch) const;
  void take_panels(const Run& run, const Task& task, const Tile& block, const Scratch& scratch) const;
  void pass_panel(const Task& task, const Tile& block, const OperandView& weight, int64_t column,
                  std::span<const RowCall> ends, const Scratch& scratch) const;
  void expand(const Run& run, const Task& task, const Tile& block, const Scratch& to) const;
  const std::byte* panel_of(const Task& task, const Tile& block, const OperandView& weight, int64_t column,
                            const Scratch& scratch, std::byte* room) const;
  bool takes_packed(const Task& task, int64_t columns) const;
  void multiply(const Run& run, const Task& task, const Tile& tile, const Scratch& scratch) const;
  int gather_rows(const Tile& tile, const Scratch& scratch) const;
  void gather_task(const Run& run, const Task& task, const Tile& block, const Scratch& scratch) const;
  void begin_task_row(const Run& run, const Task& task, const Tile& tile, int64_t row,
                      const Scratch& scratch) const;
  void multiply_panels(const Run& run, const Task& task, const Tile& tile, const Strip& strip) const;
  void multiply_panel(const Task& task, const Tile& tile, const Strip& strip, int64_t column,
                      const std::byte* panel) const;
  const float* begin_sums(std::span<const RowCall> ends, bool first, int64_t column, int64_t columns,
                          Sums& sums) const;
  void prefetch_sums(std::span<const RowCall> ends, int64_t column) const;
  static void take_from(const Sums& sums, std::span<const RowCall> ends, int64_t column, int64_t columns);
  void prefetch_rows(const Run& run, const Tile& tile, int64_t column, int64_t columns,
                     const Strip& strip) const;
  RowCall row_call(const Run& run, const Task& task, const Tile& tile, int64_t row,
                   const Scratch& scratch) const;
  RowCall gate_call(const Run& run, const Task& task, const RowCall& row) const;

  ProductShape shape_;
  TileKernels tiles_;
  int64_t block_channels_ = 0;  // of the inner dimension at a time
  PackedWeight weight_;         // the gate's, too
  int64_t panel_bytes_ = 0;     // of one panel of a whole block
  int64_t block_panels_ = 0;    // most panels of a task, of each product
  int64_t gate_rows_ = 0;       // rows that have sums of their gates at a time
  int64_t task_rows_ = 0;       // most rows of a task
  bool copies_rows_ = false;
  int threads_ = 1;
};

// Whether element types are such as the class takes; else `reason` says what is in the way.
bool product_takes(const NodeSpec& node, std::string& reason);
// The element type in which the operand, a weight, is read.
DType product_weight_type(const Operand& weight);

}  // namespace snug
