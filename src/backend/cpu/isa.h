// Which instruction sets this machine has, and which of them are used.
//
// SNUG_ISA in the environment (baseline, avx2, avx512, avx512_bf16, amx) lowers the choice, to test a lesser
// machine's kernels on a better one; it never raises it. Called by the CPU backend before anything of
// Highway runs, which settles on its instruction set at first use.
#pragma once

#include <cstdint>
#include <string_view>

namespace snug {

// Each includes the ones before it. AVX2 comes with FMA and F16C, AVX-512 with F, BW, DQ and VL, AMX with
// its BF16 part, and only where the operating system permits it (amx.h).
enum class Isa : uint8_t { kBaseline, kAvx2, kAvx512, kAvx512Bf16, kAmx };

std::string_view isa_name(Isa isa);
// The best that processor and operating system offer.
Isa machine_isa();
// What kernels use. The first call sets up Highway. Throws invalid_argument when SNUG_ISA is not
// one of the names. Thread-safe.
Isa used_isa();

}  // namespace snug
