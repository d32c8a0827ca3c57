// Tiles of a product of BF16 rows with sums in F32 by AMX: gemm_tile.h's table for machines that have it.
#pragma once

#include "backend/cpu/gemm_tile.h"

namespace snug {

// Panels are those of bf16_tile_kernels(); tiles of up to 32 rows. Only where amx_ready(). multiply opens an
// AmxScope (amx.h) of its own, which costs as much as a sixth of a tile's work: whoever calls it many times
// should hold one around all the calls.
//
// Fastest with rows in multiples of 16 that lie evenly spaced in memory, tap by tap, and with channels in
// multiples of 32; all else is right, too, but copied first, in each call again.
TileKernels amx_tile_kernels();

}  // namespace snug
