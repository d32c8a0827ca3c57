// The instruction sets for which Highway compiles our kernels: AVX2 with FMA, AVX-512, and for what is older
// one element at a time (Highway's way where the compiler's baseline is SSE2). Others cost build time and
// program size and change nothing that these kernels use. Include before any header of Highway, in every file
// that has kernels.
#pragma once

#ifdef HWY_HIGHWAY_INCLUDED
#error "backend/cpu/highway_targets.h must come before Highway's headers"
#endif

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
