// A square of 16 by 16 words, turned in registers: for the files that are written with AVX-512's intrinsics.
#pragma once

#include <immintrin.h>

namespace snug {

// Lane i of row j goes to lane j of row i. With masks of all lanes, because g++ 12 takes the plain forms for
// uses of uninitialised values (its bug 105593).
__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))) inline void transpose_16x16(
    __m512i (&rows)[16]) {
  constexpr __mmask16 kAll = 0xffff;
  __m512i t[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    const __m512i low = _mm512_maskz_unpacklo_epi32(kAll, rows[i], rows[i + 1]);
    const __m512i high = _mm512_maskz_unpackhi_epi32(kAll, rows[i], rows[i + 1]);
    const __m512i low2 = _mm512_maskz_unpacklo_epi32(kAll, rows[i + 2], rows[i + 3]);
    const __m512i high2 = _mm512_maskz_unpackhi_epi32(kAll, rows[i + 2], rows[i + 3]);
    t[i] = _mm512_maskz_unpacklo_epi64(0xff, low, low2);
    t[i + 1] = _mm512_maskz_unpackhi_epi64(0xff, low, low2);
    t[i + 2] = _mm512_maskz_unpacklo_epi64(0xff, high, high2);
    t[i + 3] = _mm512_maskz_unpackhi_epi64(0xff, high, high2);
  }
  // What is left are the 128-bit blocks: vectors i, i + 4, i + 8 and i + 12 hold a four by four of them.
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512i even = _mm512_maskz_shuffle_i32x4(kAll, t[i], t[i + 4], 0x88);
    const __m512i odd = _mm512_maskz_shuffle_i32x4(kAll, t[i], t[i + 4], 0xdd);
    const __m512i even2 = _mm512_maskz_shuffle_i32x4(kAll, t[i + 8], t[i + 12], 0x88);
    const __m512i odd2 = _mm512_maskz_shuffle_i32x4(kAll, t[i + 8], t[i + 12], 0xdd);
    rows[i] = _mm512_maskz_shuffle_i32x4(kAll, even, even2, 0x88);
    rows[i + 4] = _mm512_maskz_shuffle_i32x4(kAll, odd, odd2, 0x88);
    rows[i + 8] = _mm512_maskz_shuffle_i32x4(kAll, even, even2, 0xdd);
    rows[i + 12] = _mm512_maskz_shuffle_i32x4(kAll, odd, odd2, 0xdd);
  }
}

}  // namespace snug
