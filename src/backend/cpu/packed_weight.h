// A weight of a product as it lies in memory once it has been read: rearranged, in place, into the panels
// that the tiles of gemm_tile.h multiply by. gemm.cc and winograd.cc each have one; whoever reads weights
// asks for the rearranging (Kernel::pack_weight).
//
// In memory: panel after panel of TileKernels::wide output channels (the last may have fewer), in a panel
// block after block of input channels, in a block tap by tap, for each tap and channel the panel's outputs.
// Element by element in the file's type, so that no byte is added; for BF16 products, F16 becomes BF16 and
// channels stand in pairs ([channel pair][output][2]; a channel without a partner stands alone, last).
//
// Threads: const methods may be called from several at once. Throws nothing, allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cpu/gemm_tile.h"
#include "backend/kernel.h"

namespace snug {

// Some of a window's taps, that follow each other.
struct PackedTaps {
  int64_t first = 0, count = 0;
};

class PackedWeight {
 public:
  // `type`: of the weight in its file: F32, F16, BF16. `block_channels`: a multiple of 2, or all channels.
  PackedWeight(const TileKernels& tiles, DType type, int64_t taps, int64_t channels, int64_t block_channels);

  // Kernel::weight_packing, packing_bytes and pack_weight.
  uint64_t arrangement() const;
  size_t room_bytes() const;
  void pack(std::byte* rows, int64_t count, std::byte* room) const;

  // The block at input channel `channel`, of `channels`, for up to `wide` outputs from `column` on, which is
  // where a panel begins: a panel for TileKernels::multiply of panel_width(columns). It lies in `to`, a panel
  // of room, or in the weight itself. `floats`: as PanelCall.
  const std::byte* panel(const OperandView& weight, int64_t column, int64_t columns, int64_t channel,
                         int64_t channels, float* floats, std::byte* to) const;
  // The same of some taps alone, for tiles that do not multiply pairs.
  const std::byte* panel_of(const PackedTaps& taps, const OperandView& weight, int64_t column,
                            int64_t columns, int64_t channel, int64_t channels, std::byte* to) const;
  // The packed block itself.
  const std::byte* packed(const OperandView& weight, int64_t column, int64_t columns, int64_t channel) const;
  int64_t panel_width(int64_t columns) const {
    return columns <= tiles_.narrow ? tiles_.narrow : tiles_.wide;
  }
  // Most bytes of a panel of room, for blocks of block_channels.
  int64_t panel_bytes() const;
  // TileKernels::multiply_packed can take blocks of whole width.
  bool multiplies_packed() const;
  // No panel of whole width needs room: element type and pairs are those of the tile.
  bool lies_ready() const;

 private:
  TileKernels tiles_;
  DType type_;
  int64_t taps_, channels_, block_channels_;
};

}  // namespace snug
