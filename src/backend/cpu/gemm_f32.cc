// Tiles of an F32 product: a few rows against a panel, all sums in registers. Also the packing and expanding
// of weights.
//
// Rows are read where they lie, each through its own pointer, so that a convolution's shifted pixels need no
// copy (the indirect convolution of Dukhan, 2019, https://arxiv.org/abs/1907.02129).
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "backend/cpu/gemm_tile.h"
#include "backend/cpu/prefetch.h"
#include "tensor/convert.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm_f32.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/gemm_panel-inl.h"
#include "backend/cpu/interleave-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

// Without AVX2, the compiler's own vectors of SSE2: Highway would go one element at a time.
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
struct TileVector {
  using Vector = float __attribute__((vector_size(16)));
  static constexpr int64_t kWidth = 4;
  static Vector load(const float* from) {
    Vector v;
    std::memcpy(&v, from, sizeof(v));
    return v;
  }
  static void store(Vector v, float* to) { std::memcpy(to, &v, sizeof(v)); }
  static Vector splat(float x) { return Vector{x, x, x, x}; }
  static Vector add(Vector a, Vector b) { return a + b; }
  static Vector multiply_add(Vector a, Vector b, Vector sum) { return sum + a * b; }
};
constexpr int kTileRows = 4;  // 8 sums, 2 of a panel, of 16 registers
#else
struct TileVector {
  using Vector = FloatVector;
  static constexpr int64_t kWidth = kLanes;
  static HWY_INLINE Vector load(const float* from) { return hn::LoadU(Floats(), from); }
  static HWY_INLINE void store(Vector v, float* to) { hn::StoreU(v, Floats(), to); }
  static HWY_INLINE Vector splat(float x) { return hn::Set(Floats(), x); }
  static HWY_INLINE Vector add(Vector a, Vector b) { return hn::Add(a, b); }
  static HWY_INLINE Vector multiply_add(Vector a, Vector b, Vector sum) { return hn::MulAdd(a, b, sum); }
};
// Of the 32 registers 28 could be sums, but then the rows' pointers do not fit theirs: 24 are faster.
constexpr int kTileRows = HWY_TARGET <= HWY_AVX3 ? 12 : 6;
#endif
// A panel of two vectors of AVX2 would be so narrow that what is done for each panel beside products is a
// seventh of the time: there it has four, and a tile takes them two at a time.
constexpr int64_t kTileWidth = 2 * TileVector::kWidth;
constexpr int64_t kWide = std::max<int64_t>(kTileWidth, kTileRows == 6 ? 2 * kTileWidth : 0);
static_assert(kWide <= kMostWidth);

// A panel comes from the second-level cache, in order: so many of its rows before they are multiplied they
// are asked for. Measured on a Zen 5: 8 to 64 are alike, a tenth faster than none.
constexpr int64_t kRowsAhead = 16;

// Where a panel's vectors come from.
struct FloatPanel {
  using Element = float;
  static HWY_INLINE TileVector::Vector load(const float* from) { return TileVector::load(from); }
};

// Where the elements of a tile's rows are. Apart, the rows are passed by panels that come from the
// second-level cache, so that a panel's rows are asked for ahead.
template <int kRows>
struct RowsApart {
  static constexpr int64_t kAhead = kRowsAhead;
  const float* rows[kRows];

  HWY_INLINE explicit RowsApart(const std::byte* const* a) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) rows[r] = reinterpret_cast<const float*>(a[r]);
  }
  HWY_INLINE float at(int row, int64_t channel) const { return rows[row][channel]; }
};

// Interleaved, they pass a panel that stays in the first-level cache.
template <int kRows>
struct RowsInterleaved {
  static constexpr int64_t kAhead = 0;
  const float* rows;

  HWY_INLINE explicit RowsInterleaved(const std::byte* const* a)
      : rows(reinterpret_cast<const float*>(a[0])) {}
  HWY_INLINE float at(int row, int64_t channel) const { return rows[channel * kRows + row]; }
};

// The panel's vectors from `column` on; its rows are `kPanelWidth` long.
template <int kRows, int kVectors, int64_t kPanelWidth, class Panel, class Rows>
void multiply_tile(const TileCall& call, int64_t column) {
  using V = TileVector;
  constexpr int64_t kW = V::kWidth;
  typename V::Vector sums[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sums[r][v] = V::splat(0);
  }
  const auto* HWY_RESTRICT b = reinterpret_cast<const typename Panel::Element*>(call.panel) + column;
  const std::byte* const* a = call.a;
  for (int64_t tap = 0; tap < call.taps; ++tap, a += kMostTileRows) {
    const Rows rows(a);
    for (int64_t c = 0; c < call.channels; ++c, b += kPanelWidth) {
      typename V::Vector panel[kVectors];
      if constexpr (Rows::kAhead > 0) {
        constexpr int64_t kElementBytes = static_cast<int64_t>(sizeof(*b));
        constexpr int64_t kAheadBytes = Rows::kAhead * kPanelWidth * kElementBytes;
        for (int64_t at = 0; at < kVectors * kW * kElementBytes; at += 64) prefetch_line(b, kAheadBytes + at);
      }
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) panel[v] = Panel::load(b + v * kW);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const auto x = V::splat(rows.at(r, c));
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sums[r][v] = V::multiply_add(x, panel[v], sums[r][v]);
      }
    }
  }
  typename V::Vector bias[kVectors];
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) bias[v] = V::load(call.bias + column + v * kW);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const auto before = V::add(bias[v], V::load(call.base[r] + column + v * kW));
      V::store(V::add(before, sums[r][v]), call.sums[r] + column + v * kW);
    }
  }
}

template <int kVectors, int64_t kPanelWidth, class Panel, template <int> class Rows, int... kRowsLessOne>
void multiply_rows(int rows, const TileCall& call, std::integer_sequence<int, kRowsLessOne...>) {
  static constexpr void (*kTiles[])(const TileCall&, int64_t) = {
      multiply_tile<kRowsLessOne + 1, kVectors, kPanelWidth, Panel, Rows<kRowsLessOne + 1>>...};
  for (int64_t column = 0; column < kPanelWidth; column += kVectors * TileVector::kWidth) {
    kTiles[rows - 1](call, column);
  }
}

// Half as wide as a whole panel of kWidth, or whole.
template <int64_t kWidth, class Panel, template <int> class Rows, class Counts>
void multiply_width(int rows, int64_t width, const TileCall& call, Counts counts) {
  constexpr int64_t kNarrow = kWidth / 2;
  constexpr int kVectors = static_cast<int>(std::min(kNarrow, kTileWidth) / TileVector::kWidth);
  if (width == kNarrow) return multiply_rows<kVectors, kNarrow, Panel, Rows>(rows, call, counts);
  multiply_rows<2, kWidth, Panel, Rows>(rows, call, counts);
}

using RowCounts = std::make_integer_sequence<int, kTileRows>;

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
template <int64_t>
constexpr auto kMultiplyPacked = nullptr;
#else
struct F16Panel {
  using Element = uint16_t;
  static HWY_INLINE FloatVector load(const uint16_t* from) { return widened_f16(hn::LoadU(Halves(), from)); }
};
struct Bf16Panel {
  using Element = uint16_t;
  static HWY_INLINE FloatVector load(const uint16_t* from) { return widened_bf16(hn::LoadU(Halves(), from)); }
};

template <int64_t kWidth>
void multiply_packed(DType type, int rows, int64_t width, const TileCall& call) {
  constexpr auto kCounts = std::make_integer_sequence<int, kFewRows>();
  if (type == DType::kF16) return multiply_width<kWidth, F16Panel, RowsApart>(rows, width, call, kCounts);
  multiply_width<kWidth, Bf16Panel, RowsApart>(rows, width, call, kCounts);
}
template <int64_t kWidth>
constexpr auto kMultiplyPacked = multiply_packed<kWidth>;
#endif

template <int64_t kWidth>
void multiply(int rows, int64_t width, const TileCall& call) {
  multiply_width<kWidth, FloatPanel, RowsApart>(rows, width, call, RowCounts());
}

void expand(const PanelCall& call) { expand_panel(call, reinterpret_cast<float*>(call.panel)); }

void pack(const PackCall& call) { pack_panel(call); }

template <int64_t kWidth>
TileKernels kernels_of_width() {
  return {.rows = kTileRows,
          .wide = kWidth,
          .narrow = kWidth / 2,
          .pack = pack,
          .expand = expand,
          .multiply = multiply<kWidth>,
          .multiply_packed = kMultiplyPacked<kWidth>};
}

TileKernels tile_kernels() { return kernels_of_width<kWide>(); }

#if HWY_TARGET == HWY_AVX2
void interleave_rows(DType type, int rows, int64_t channels, const std::byte* const* a, float* room) {
  const auto interleave_as = [&]<typename T>(const T*) HWY_ATTR {
    interleave([&](int64_t r) HWY_ATTR { return reinterpret_cast<const T*>(a[r]); }, rows, channels, room);
  };
  if (type == DType::kF32) return interleave_as(static_cast<const float*>(nullptr));
  interleave_as(static_cast<const uint16_t*>(nullptr));
}

// Widening a panel of half floats for each tile anew costs nothing beside the multiplications, and leaves
// more of the first-level cache to the rows.
void multiply_interleaved(DType type, int rows, int64_t width, const TileCall& call) {
  const auto multiply_by = [&]<class Panel>(Panel) {
    multiply_width<kTileWidth, Panel, RowsInterleaved>(rows, width, call, RowCounts());
  };
  if (type == DType::kF16) return multiply_by(F16Panel());
  if (type == DType::kBF16) return multiply_by(Bf16Panel());
  multiply_by(FloatPanel());
}

// A panel of two vectors and 384 channels takes three quarters of a first-level cache of 32 KiB. Those of
// AVX-512 are twice as wide, and its tiles twice as high, so that they read their panels half as often.
TileKernels panel_kernels() {
  TileKernels kernels = kernels_of_width<kTileWidth>();
  kernels.row_step = kTileRows;  // a tile of fewer waits for its sums
  kernels.interleave = interleave_rows;
  kernels.multiply_interleaved = multiply_interleaved;
  return kernels;
}
#else
TileKernels panel_kernels() { return tile_kernels(); }
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {
HWY_EXPORT(tile_kernels);
HWY_EXPORT(panel_kernels);
}  // namespace

TileKernels f32_tile_kernels() { return HWY_DYNAMIC_DISPATCH(tile_kernels)(); }
TileKernels f32_panel_kernels() { return HWY_DYNAMIC_DISPATCH(panel_kernels)(); }

const float* zero_sums() {
  alignas(64) static constexpr std::array<float, kMostWidth> kZeros = {};
  return kZeros.data();
}

}  // namespace snug
#endif  // HWY_ONCE
