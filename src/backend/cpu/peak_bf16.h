// The loops of BF16 instructions that peak.cc times; Highway 1.0.3 does not have these instructions.
#pragma once

#include <cstdint>

namespace snug {

// Each returns how many operations it did: two a multiply-add. `values`: 24 ordinary numbers from which the
// sums begin, replaced by results. Only where used_isa() has the instructions.
double avx512_bf16_loop(int64_t iterations, float* values);
double amx_bf16_loop(int64_t iterations, float* values);

}  // namespace snug
