#include "backend/cpu/peak_bf16.h"

#include <array>

#include <immintrin.h>

#include "backend/cpu/amx.h"
#include "backend/cpu/amx_tiles.h"

namespace snug {
namespace {

// vdpbf16ps takes 6 cycles on Zen 4 and 6 to 8 on Intel's, with two units.
constexpr int kAccumulators = 24;
constexpr int kOperations = 64;  // 32 multiply-adds

}  // namespace

__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"))) double avx512_bf16_loop(
    int64_t iterations, float* values) {
  __m512 sums[kAccumulators];
  for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_set1_ps(values[i]);
  // 1.0 and a small number: sums stay ordinary however long it takes.
  const auto one = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f803f80));
  const auto small = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x2f802f80));
  for (int64_t n = 0; n < iterations; ++n) {
#pragma GCC unroll 24
    for (int i = 0; i < kAccumulators; ++i) sums[i] = _mm512_dpbf16_ps(sums[i], one, small);
  }
  for (int i = 0; i < kAccumulators; ++i) values[i] = _mm512_cvtss_f32(sums[i]);
  return 1.0 * kOperations * kAccumulators * static_cast<double>(iterations);
}

// TDPBF16PS begins every 16 cycles and takes 52 (Intel's optimization manual): four sums keep it busy, as two
// by two tiles of a product have. It begins from ordinary numbers, as a product has them: zeros take less
// power.
double amx_bf16_loop(int64_t iterations, float* values) {
  constexpr int64_t kTileFloats = kTileRows * kTileColumns;
  constexpr double kMultiplyAdds = static_cast<double>(kTileFloats * kTileChannels);
  alignas(64) std::array<float, kTileFloats> sums;
  alignas(64) std::array<uint16_t, kTileRows * kTileChannels> ones, smalls;
  sums.fill(values[0]);
  ones.fill(0x3f80);
  smalls.fill(0x2f80);
  const AmxScope scope;
  AmxTiles::load<0>(sums.data(), kTileRowBytes);
  AmxTiles::load<1>(sums.data(), kTileRowBytes);
  AmxTiles::load<2>(sums.data(), kTileRowBytes);
  AmxTiles::load<3>(sums.data(), kTileRowBytes);
  AmxTiles::load<4>(ones.data(), kTileRowBytes);
  AmxTiles::load<5>(ones.data(), kTileRowBytes);
  AmxTiles::load<6>(smalls.data(), kTileRowBytes);
  AmxTiles::load<7>(smalls.data(), kTileRowBytes);
  for (int64_t n = 0; n < iterations; ++n) {
    AmxTiles::multiply<0, 4, 6>();
    AmxTiles::multiply<1, 4, 7>();
    AmxTiles::multiply<2, 5, 6>();
    AmxTiles::multiply<3, 5, 7>();
  }
  AmxTiles::store<0>(sums.data(), kTileRowBytes);
  values[0] = sums[0];
  return 4 * 2 * kMultiplyAdds * static_cast<double>(iterations);
}

}  // namespace snug
