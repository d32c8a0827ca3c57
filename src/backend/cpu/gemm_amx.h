// Tiles of a product of BF16 rows with sums in F32 by AMX: gemm_tile.h's table for machines that have it.
#pragma once

#include "backend/cpu/gemm_tile.h"

namespace snug {

// Panels are those of bf16_tile_kernels(); tiles of up to 32 rows. Only where amx_ready(). multiply opens an
// AmxScope (amx.h) of its own, which costs as much as a sixth of a tile's work: whoever calls it many times
// should hold one around all the calls.
//
// Fastest with rows in multiples of 16 that lie evenly spaced in memory, tap by tap, and with channels in
// multiples of 32; all else is right, too, but copied first, in each call again, and the copies are waited
// for.
TileKernels amx_tile_kernels();

// Copies once, for all the panels of a tile, what multiply would copy for each: rows of taps that are not
// evenly spaced, or are no multiple of 16. `a` as TileCall::a, whose pointers then lead to the copies; `room`
// for [taps][rows rounded up to 16][channels] BF16. Returns the rows to multiply, a multiple of 16: those
// from `rows` on are zeros, whose sums the caller lets go to a place of their own.
int space_rows_evenly(int rows, int64_t taps, int64_t channels, const std::byte** a, std::byte* room);

}  // namespace snug
