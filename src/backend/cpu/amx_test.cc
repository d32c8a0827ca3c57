// AMX's tile registers: that the emulation which the kernels' tests rest on does what Intel's manual says,
// and that the instructions in amx_tiles.h are the ones meant.
#include "backend/cpu/amx.h"

#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "backend/cpu/amx_emulated_tiles.h"
#include "backend/cpu/amx_tiles.h"
#include "backend/cpu/amx_trap.h"
#include "backend/cpu/guarded_memory.h"
#include "backend/cpu/isa.h"
#include "tensor/convert.h"

namespace snug {
namespace {

using Sums = std::array<std::array<float, kTileColumns>, kTileRows>;
using Halves = std::array<std::array<uint16_t, kTileChannels>, kTileRows>;

TEST(Amx, IsReadyExactlyWhenItIsTheInstructionSetInUse) {
  EXPECT_EQ(amx_ready(), used_isa() == Isa::kAmx);
  if (amx_ready()) {
    EXPECT_TRUE(request_amx_permission());
  }
}

TEST(Amx, ScopesNestAndLeaveTilesAlone) {
  const AmxTrap trap;
  std::array<float, kTileRows * kTileColumns> ones, back = {};
  ones.fill(1.0F);
  const AmxScope outer;
  AmxTiles::load<0>(ones.data(), kTileRowBytes);
  { const AmxScope inner; }
  AmxTiles::store<0>(back.data(), kTileRowBytes);
  EXPECT_EQ(back, ones);
}

TEST(EmulatedTiles, MultiplyAddsEvenAndOddProductsInChainsOfTheirOwn) {
  // One row, one column. Even products: 2^24, then fifteen times 1: each is lost to rounding, so the chain
  // stays 2^24. Odd products: -2^24 last. The sum of 16 that was there is added at the end.
  Halves a = {}, b = {};
  Sums sums = {};
  for (size_t k = 0; k < 16; ++k) {
    a[0][2 * k] = a[0][2 * k + 1] = f32_to_bf16(1.0F);
    b[k][0] = f32_to_bf16(k == 0 ? 0x1p24F : 1.0F);
    b[k][1] = f32_to_bf16(k == 15 ? -0x1p24F : 0.25F);
  }
  sums[0][0] = 16.0F;
  EmulatedTiles tiles;
  tiles.configure(kWholeTiles);
  tiles.load<0>(sums.data(), kTileRowBytes);
  tiles.load<1>(a.data(), kTileRowBytes);
  tiles.load<2>(b.data(), kTileRowBytes);
  tiles.multiply<0, 1, 2>();
  tiles.store<0>(sums.data(), kTileRowBytes);
  // The odd chain: 15 x 0.25 = 3.75, then 3.75 - 2^24 = -16777212.25, which rounds to -16777212.
  EXPECT_EQ(sums[0][0], 16.0F + (0x1p24F - 16777212.0F));
  EXPECT_EQ(sums[1][0], 0.0F);
}

TEST(EmulatedTiles, MultiplyTakesPairsOfRowsAndColumns) {
  Halves a = {}, b = {};
  Sums sums = {};
  a[3][10] = f32_to_bf16(2.0F), a[3][11] = f32_to_bf16(3.0F);
  b[5][2 * 7] = f32_to_bf16(5.0F), b[5][2 * 7 + 1] = f32_to_bf16(7.0F);
  EmulatedTiles tiles;
  tiles.configure(kWholeTiles);
  tiles.load<4>(a.data(), kTileRowBytes);
  tiles.load<5>(b.data(), kTileRowBytes);
  tiles.multiply<6, 4, 5>();
  tiles.store<6>(sums.data(), kTileRowBytes);
  for (size_t m = 0; m < 16; ++m) {
    for (size_t n = 0; n < 16; ++n) EXPECT_EQ(sums[m][n], m == 3 && n == 7 ? 31.0F : 0.0F);
  }
}

TEST(EmulatedTiles, SubnormalNumbersCountAsZero) {
  constexpr float kHalf = FLT_MIN / 2;
  EXPECT_EQ(flushed_fma(kHalf, 0x1p20F, 1.0F), 1.0F);                  // a factor
  EXPECT_EQ(flushed_fma(0x1p-100F, 0x1p-27F, 0.0F), 0.0F);             // a result
  EXPECT_TRUE(std::signbit(flushed_fma(-0x1p-100F, 0x1p-27F, 0.0F)));  // of its sign
  EXPECT_EQ(flushed_fma(0x1p-63F, 0x1p-63F, kHalf), FLT_MIN);          // an addend
  EXPECT_EQ(flushed_fma(0x1p-63F, 0x1p-63F, 0.0F), FLT_MIN);           // the smallest that does not
  EXPECT_EQ(flushed_fma(0x1p60F, 0x1p60F, -0x1p120F), 0.0F);           // large ones that cancel
  EXPECT_EQ(flushed_fma(1.5F, 2.0F, 0.25F), 3.25F);
  // FLT_MIN (1 - 2^-24): subnormal after rounding with an unbounded exponent, not with the real one.
  const float almost = 0x1.fffffep-1F * 0x1p-62F;  // (1 - 2^-24) 2^-62
  EXPECT_EQ(std::fma(almost, 0x1p-64F, 0.0F), FLT_MIN);
  EXPECT_EQ(flushed_fma(almost, 0x1p-64F, 0.0F), 0.0F);
  EXPECT_TRUE(std::isnan(flushed_fma(NAN, 0.0F, 1.0F)));
  EXPECT_TRUE(std::isnan(flushed_fma(INFINITY, 0.0F, 1.0F)));
}

TEST(EmulatedTiles, RowsLieAStrideApart) {
  const std::array<int64_t, 4> strides = {64, 96, 0, -128};
  for (const int64_t stride : strides) {
    std::vector<std::byte> memory(2 * 16 * 128);
    for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::byte>(i * 7 + i / 256);
    const std::byte* const first = memory.data() + 16 * 128;
    EmulatedTiles tiles;
    tiles.configure(kWholeTiles);
    tiles.load<7>(first, stride);
    std::array<std::byte, kTileRows* kTileRowBytes> dense = {};
    tiles.store<7>(dense.data(), kTileRowBytes);
    for (int64_t r = 0; r < kTileRows; ++r) {
      EXPECT_EQ(std::memcmp(dense.data() + r * kTileRowBytes, first + r * stride, kTileRowBytes), 0);
    }
  }
}

template <typename Tiles>
void expect_gather_reads_only_its_bytes() {
  for (const int64_t bytes : {2, 18, 62, 64}) {
    const GuardedMemory page(100);
    std::memset(page.data(), 9, 100);
    // Rows that end where the memory does.
    std::array<const std::byte*, kTileRows> rows = {};
    for (size_t r = 0; r < 5; ++r) rows[r] = page.end() - bytes - 4;
    std::array<std::byte, kTileRows * kTileRowBytes> tile, expected = {};
    tile.fill(std::byte{1});
    for (int64_t r = 0; r < 5; ++r)
      std::memset(expected.data() + r * kTileRowBytes, 9, static_cast<size_t>(bytes));
    Tiles::gather(rows.data(), 5, 4, bytes, tile.data());
    EXPECT_EQ(tile, expected) << bytes;
  }
}

TEST(EmulatedTiles, GatherReadsOnlyWhatItIsAskedFor) { expect_gather_reads_only_its_bytes<EmulatedTiles>(); }

TEST(AmxTiles, GatherReadsOnlyWhatItIsAskedFor) {
  if (machine_isa() < Isa::kAvx512) GTEST_SKIP() << "this machine has no AVX-512";
  expect_gather_reads_only_its_bytes<AmxTiles>();
}

// Runs the instructions themselves: on a machine without AMX through the trap, which decodes them.
TEST(AmxTiles, InstructionsAreTheOnesMeant) {
  Halves a = {}, b = {};
  for (size_t r = 0; r < 16; ++r) {
    for (size_t i = 0; i < 32; ++i) {
      a[r][i] = f32_to_bf16(std::sin(static_cast<float>(r * 32 + i)));
      b[r][i] = f32_to_bf16(std::cos(static_cast<float>(r * 17 + i * 5)));
    }
  }
  Sums expected = {}, sums = {};
  EmulatedTiles tiles;
  tiles.configure(kWholeTiles);
  tiles.load<6>(a.data(), 0);
  tiles.load<1>(b.data(), kTileRowBytes);
  tiles.multiply<3, 6, 1>();
  tiles.multiply<3, 1, 6>();
  tiles.store<3>(expected.data(), kTileRowBytes);

  const AmxTrap trap;
  AmxTiles::configure(kWholeTiles);
  AmxTiles::load<3>(b.data(), kTileRowBytes);
  AmxTiles::zero<3>();
  AmxTiles::load<6>(a.data(), 0);
  AmxTiles::load<1>(b.data(), kTileRowBytes);
  AmxTiles::multiply<3, 6, 1>();
  AmxTiles::multiply<3, 1, 6>();
  AmxTiles::store<3>(sums.data(), kTileRowBytes);
  AmxTiles::release();
  EXPECT_EQ(sums, expected);
  EXPECT_NE(sums, Sums{});
}

}  // namespace
}  // namespace snug
