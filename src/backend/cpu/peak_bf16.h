// The loops of BF16 instructions that peak.cc times; Highway 1.0.3 does not have these instructions.
#pragma once

#include <cstdint>

namespace snug {

// Each returns how many operations it did: two a multiply-add. `values`: ordinary numbers, one for each of 24
// accumulators, replaced by results. Only where used_isa() has the instructions.
double avx512_bf16_loop(int64_t iterations, float* values);

}  // namespace snug
