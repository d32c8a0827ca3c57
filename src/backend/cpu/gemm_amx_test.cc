// Tiles of products by AMX: the kernel's template on emulated tiles, whatever the machine; and the kernel as
// programs call it, through AmxTrap.
#include "backend/cpu/gemm_amx.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "backend/cpu/amx_emulated_tiles.h"
#include "backend/cpu/amx_trap.h"
#include "backend/cpu/gemm_amx-inl.h"
#include "backend/cpu/isa.h"
#include "tensor/convert.h"

namespace snug {
namespace {

constexpr int64_t kCanaries = 24;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Case {
  int rows = 0;
  int64_t width = 0, taps = 0, channels = 0;
  bool scattered = false;  // each row of each tap somewhere else; or all of a tap evenly spaced
};

// Memory ends where the kernel may read no further, for the address sanitizer; what lies between and behind
// the operands is NaN, so that it cannot go into a sum unseen.
class Problem {
 public:
  Problem(const Case& c, uint32_t seed) : case_(c), random_(seed) {
    for (int64_t tap = 0; tap < c.taps; ++tap) c.scattered ? add_scattered() : add_evenly_spaced(tap);
    panel_.assign(static_cast<size_t>(c.taps * ((c.channels + 1) / 2) * 2 * c.width), 0);
    for (int64_t tap = 0; tap < c.taps; ++tap) {
      for (int64_t channel = 0; channel < c.channels; ++channel) {
        for (int64_t column = 0; column < c.width; ++column)
          panel_[panel_at(tap, channel, column)] = number();
      }
    }
    for (int r = 0; r < c.rows; ++r) {
      std::vector<float> row(static_cast<size_t>(c.width + 2 * kCanaries), kNan);
      for (int64_t i = 0; i < c.width; ++i) row[static_cast<size_t>(kCanaries + i)] = bf16_to_f32(number());
      before_.push_back(row);
    }
  }

  // The columns of each row in `rows`, by calling multiply on those rows alone.
  template <typename Multiply>
  std::vector<std::vector<float>> run(const std::vector<int>& rows, Multiply&& multiply) const {
    std::vector<const std::byte*> a(static_cast<size_t>(case_.taps * kMostTileRows), nullptr);
    std::vector<std::vector<float>> sums;
    for (const int r : rows) sums.push_back(before_[static_cast<size_t>(r)]);
    for (int64_t tap = 0; tap < case_.taps; ++tap) {
      const std::byte** const to = a.data() + tap * kMostTileRows;
      for (size_t i = 0; i < rows.size(); ++i) to[i] = reinterpret_cast<const std::byte*>(row(tap, rows[i]));
      // Behind the rows there are, pointers that go on evenly, as an earlier tile may have left them.
      const auto address = [&](size_t i) { return reinterpret_cast<uintptr_t>(to[i]); };
      for (size_t i = rows.size(); i >= 2 && i < kMostTileRows; ++i) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        to[i] = reinterpret_cast<const std::byte*>(2 * address(i - 1) - address(i - 2));
      }
    }
    std::vector<float*> to;
    for (auto& row : sums) to.push_back(row.data() + kCanaries);
    TileCall call;
    call.a = a.data();
    call.taps = case_.taps;
    call.channels = case_.channels;
    call.panel = reinterpret_cast<const std::byte*>(panel_.data());
    call.sums = to.data();
    multiply(static_cast<int>(rows.size()), case_.width, call);
    for (auto& row : sums) {
      const auto is_nan = [](float value) { return std::isnan(value); };
      EXPECT_TRUE(std::all_of(row.begin(), row.begin() + kCanaries, is_nan)) << "written before a row";
      EXPECT_TRUE(std::all_of(row.end() - kCanaries, row.end(), is_nan)) << "written behind a row";
      row.erase(row.begin(), row.begin() + kCanaries);
      row.resize(static_cast<size_t>(case_.width));
    }
    return sums;
  }

  // By the definition in gemm_amx-inl.h, one sum at a time.
  float defined(int r, int64_t column) const {
    float sum = 0;
    for (int64_t tap = 0; tap < case_.taps; ++tap) {
      for (int64_t begin = 0; begin < case_.channels; begin += 32) {
        float even = 0, odd = 0;
        for (int64_t c = begin; c < std::min(begin + 32, case_.channels); ++c) {
          float& chain = c % 2 == 0 ? even : odd;
          chain = std::fma(x(tap, r, c), weight(tap, c, column), chain);
        }
        sum += even + odd;
      }
    }
    return before(r, column) + sum;
  }
  // In double, and how far a float sum may be from it.
  double exact(int r, int64_t column, double& tolerance) const {
    double sum = before(r, column), size = std::fabs(sum);
    for (int64_t tap = 0; tap < case_.taps; ++tap) {
      for (int64_t c = 0; c < case_.channels; ++c) {
        const double product =
            static_cast<double>(x(tap, r, c)) * static_cast<double>(weight(tap, c, column));
        sum += product;
        size += std::fabs(product);
      }
    }
    const int64_t roundings = 16 + case_.taps * ((case_.channels + 31) / 32) + 2;
    tolerance = static_cast<double>(roundings) * 0x1p-24 * size;
    return sum;
  }

 private:
  uint16_t number() { return f32_to_bf16(std::uniform_real_distribution<float>(-1, 1)(random_)); }
  void fill(uint16_t* row) {
    std::generate_n(row, case_.channels, [&] { return number(); });
  }
  void add_evenly_spaced(int64_t tap) {
    const int64_t stride = case_.channels + tap % 3 * 5;  // some with a gap
    std::vector<uint16_t> rows(static_cast<size_t>((case_.rows - 1) * stride + case_.channels),
                               f32_to_bf16(kNan));
    std::vector<size_t> at;
    for (int64_t r = 0; r < case_.rows; ++r) {
      // Every other tap from the last row to the first.
      at.push_back(static_cast<size_t>((tap % 2 == 0 ? r : case_.rows - 1 - r) * stride));
      fill(rows.data() + at.back());
    }
    blocks_.push_back(std::move(rows));
    for (const size_t offset : at) rows_.emplace_back(blocks_.size() - 1, offset);
  }
  void add_scattered() {
    for (int r = 0; r < case_.rows; ++r) {
      blocks_.emplace_back(static_cast<size_t>(case_.channels));
      fill(blocks_.back().data());
      rows_.emplace_back(blocks_.size() - 1, 0);
    }
  }

  const uint16_t* row(int64_t tap, int r) const {
    const auto& [block, offset] = rows_[static_cast<size_t>(tap * case_.rows + r)];
    return blocks_[block].data() + offset;
  }
  size_t panel_at(int64_t tap, int64_t channel, int64_t column) const {
    const int64_t pair = tap * ((case_.channels + 1) / 2) + channel / 2;
    return static_cast<size_t>((pair * case_.width + column) * 2 + channel % 2);
  }
  float x(int64_t tap, int r, int64_t channel) const { return bf16_to_f32(row(tap, r)[channel]); }
  float weight(int64_t tap, int64_t channel, int64_t column) const {
    return bf16_to_f32(panel_[panel_at(tap, channel, column)]);
  }
  float before(int r, int64_t column) const {
    return before_[static_cast<size_t>(r)][static_cast<size_t>(kCanaries + column)];
  }

  Case case_;
  std::mt19937 random_;
  std::vector<std::vector<uint16_t>> blocks_;
  std::vector<std::pair<size_t, size_t>> rows_;  // [tap][row]: block, offset in it
  std::vector<uint16_t> panel_;
  std::vector<std::vector<float>> before_;
};

std::vector<int> first_rows(int count) {
  std::vector<int> rows;
  for (int r = 0; r < count; ++r) rows.push_back(r);
  return rows;
}

void emulated(int rows, int64_t width, const TileCall& call) {
  EmulatedTiles tiles;
  tiles.configure(kWholeTiles);
  amx_multiply(tiles, rows, width, call);
}

template <typename Multiply>
void expect_defined(const Case& c, uint32_t seed, Multiply&& multiply) {
  SCOPED_TRACE(testing::Message() << c.rows << " rows, width " << c.width << ", " << c.taps << " taps of "
                                  << c.channels << " channels" << (c.scattered ? ", scattered" : ""));
  const Problem problem(c, seed);
  const auto sums = problem.run(first_rows(c.rows), multiply);
  int wrong = 0, far = 0;
  for (int r = 0; r < c.rows; ++r) {
    for (int64_t column = 0; column < c.width; ++column) {
      const float sum = sums[static_cast<size_t>(r)][static_cast<size_t>(column)];
      double tolerance = 0;
      const double exact = problem.exact(r, column, tolerance);
      wrong += std::bit_cast<uint32_t>(sum) != std::bit_cast<uint32_t>(problem.defined(r, column)) ? 1 : 0;
      far += std::fabs(static_cast<double>(sum) - exact) <= tolerance ? 0 : 1;
    }
  }
  EXPECT_EQ(wrong, 0) << "sums whose bits are not those of the definition";
  EXPECT_EQ(far, 0) << "sums further from the exact ones than rounding explains";
}

TEST(GemmAmx, SumsAreThoseOfTheDefinition) {
  uint32_t seed = 1;
  for (const int64_t channels : {1, 2, 3, 31, 32, 33, 64, 320}) {
    for (const int rows : {1, 2, 15, 16, 17, 31, 32}) {
      for (const bool scattered : {false, true}) {
        ++seed;
        const int64_t taps = channels < 64 && seed % 3 != 0 ? 9 : seed % 3 + 1;
        expect_defined({rows, seed / 2 % 2 == 0 ? 32 : 16, taps, channels, scattered}, seed, emulated);
      }
    }
  }
}

TEST(GemmAmx, BitsOfARowDependOnNoOther) {
  for (const bool scattered : {false, true}) {
    const Problem problem({32, 32, 4, 72, scattered}, 5);
    const auto together = problem.run(first_rows(32), emulated);
    for (const std::vector<int>& rows :
         {std::vector<int>{7}, {31, 0, 16}, {20, 19, 18, 17, 16, 15, 14, 13, 12, 11,
                                             10, 9,  8,  7,  6,  5,  4,  3,  2,  1}}) {
      const auto alone = problem.run(rows, emulated);
      for (size_t i = 0; i < rows.size(); ++i) {
        const auto& expected = together[static_cast<size_t>(rows[i])];
        EXPECT_EQ(std::memcmp(alone[i].data(), expected.data(), expected.size() * sizeof(float)), 0)
            << "row " << rows[i] << " among " << rows.size();
      }
    }
  }
}

// A NaN or an infinity stays in its row, also when that row is not the last of its tile.
TEST(GemmAmx, AnInfiniteRowLeavesTheOthersAlone) {
  std::vector<uint16_t> x(20 * 40, f32_to_bf16(1.0F)), panel(40 * 16, f32_to_bf16(0.5F));
  std::fill_n(x.begin() + 3 * 40, 40, f32_to_bf16(std::numeric_limits<float>::infinity()));
  std::vector<const std::byte*> a(kMostTileRows);
  std::vector<std::vector<float>> sums(20, std::vector<float>(16, 0.0F));
  std::vector<float*> to;
  for (size_t r = 0; r < 20; ++r) {
    a[r] = reinterpret_cast<const std::byte*>(&x[r * 40]);
    to.push_back(sums[r].data());
  }
  emulated(20, 16, {a.data(), 1, 40, reinterpret_cast<const std::byte*>(panel.data()), to.data()});
  for (size_t r = 0; r < 20; ++r) {
    EXPECT_EQ(sums[r], std::vector<float>(16, r == 3 ? std::numeric_limits<float>::infinity() : 20.0F)) << r;
  }
}

// Rows that have been copied beforehand: as many more as make tiles whole, to sums that nobody reads.
TEST(GemmAmx, EvenlySpacedRowsHaveTheSameSums) {
  const auto spaced = [](int rows, int64_t width, const TileCall& call) {
    std::vector<const std::byte*> a(call.a, call.a + call.taps * kMostTileRows);
    std::vector<std::byte> room(static_cast<size_t>(call.taps * 2 * kTileRows * call.channels * 2));
    const int padded = space_rows_evenly(rows, call.taps, call.channels, a.data(), room.data());
    EXPECT_EQ(padded, (rows + 15) / 16 * 16);
    for (int64_t tap = 0; tap < call.taps; ++tap) {
      for (int first = 0; first < padded; first += kTileRows) {
        int64_t stride = 0;
        EXPECT_TRUE(evenly_spaced(a.data() + tap * kMostTileRows + first, stride)) << tap << " " << first;
      }
    }
    std::vector<float*> sums(call.sums, call.sums + rows);
    std::vector<float> unread(static_cast<size_t>(width), kNan);
    sums.resize(static_cast<size_t>(padded), unread.data());
    TileCall copied = call;
    copied.a = a.data();
    copied.sums = sums.data();
    emulated(padded, width, copied);
  };
  uint32_t seed = 200;
  for (const int rows : {1, 16, 19, 32}) {
    for (const bool scattered : {false, true}) expect_defined({rows, 32, 3, 40, scattered}, ++seed, spaced);
  }
}

// The kernel as a program calls it. Without AMX its tile instructions are decoded and emulated one by one.
TEST(GemmAmx, TheMachinesKernelComputesTheSame) {
  if (machine_isa() < Isa::kAvx512) GTEST_SKIP() << "this machine has no AVX-512, which is used beside AMX";
  const AmxTrap trap;
  const TileKernels kernels = amx_tile_kernels();
  EXPECT_EQ(kernels.rows, 32);
  uint32_t seed = 100;
  for (const int64_t channels : {3, 33, 64}) {
    for (const int rows : {1, 16, 30, 32}) {
      for (const bool scattered : {false, true}) {
        ++seed;
        expect_defined({rows, seed / 2 % 2 == 0 ? 32 : 16, 2, channels, scattered}, seed, kernels.multiply);
        expect_defined({rows, 32, 1, channels, scattered}, seed, kernels.multiply);
      }
    }
  }
}

}  // namespace
}  // namespace snug
