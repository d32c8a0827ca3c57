// Weights from the layout and element type of their file to a panel of floats (gemm_tile.h). Compiled once
// for each instruction set: include after hwy/foreach_target.h and hwy/highway.h.
//
// A weight's row is one output channel, a panel's row one inner index: this is a transposition, done in
// registers in the narrow type, so that each conversion makes a whole vector of the panel.
#if defined(SNUG_BACKEND_CPU_GEMM_EXPAND_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SNUG_BACKEND_CPU_GEMM_EXPAND_INL_H
#undef SNUG_BACKEND_CPU_GEMM_EXPAND_INL_H
#else
#define SNUG_BACKEND_CPU_GEMM_EXPAND_INL_H
#endif

#include <algorithm>
#include <cstring>

#include <hwy/highway.h>

#include "backend/cpu/gemm_tile.h"
#include "backend/cpu/simd_memory-inl.h"
#include "tensor/convert.h"

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {

// Walks a block's elements in the order of memory, a channel's taps together, and says where in the panel
// each belongs.
struct PanelRow {
  float* panel;
  int64_t width, taps, channels;
  int64_t tap = 0, channel = 0;

  HWY_INLINE float* next() {
    float* const row = panel + (tap * channels + channel) * width;
    if (++tap == taps) {
      tap = 0;
      ++channel;
    }
    return row;
  }
};

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

inline float weight_at(DType type, const std::byte* from, int64_t index) {
  uint16_t half = 0;
  if (type == DType::kF32) {
    float value = 0;
    std::memcpy(&value, from + index * 4, sizeof(value));
    return value;
  }
  std::memcpy(&half, from + index * 2, sizeof(half));
  return type == DType::kF16 ? f16_to_f32(half) : bf16_to_f32(half);
}

inline void expand_panel(const PanelCall& call, float* panel) {
  for (int64_t column = 0; column < call.width; ++column) {
    PanelRow row{panel + column, call.width, call.taps, call.channels};
    const std::byte* from = call.weight + column * call.row_bytes;
    for (int64_t e = 0; e < call.taps * call.channels; ++e) {
      *row.next() = column < call.columns ? weight_at(call.type, from, e) : 0;
    }
  }
}

#else

// How many output channels and elements are turned at a time, in each element type.
struct FromF32 {
  using Element = float;
  static constexpr int64_t kColumns = 4, kElements = 4;

  static HWY_INLINE void turn(const float* const* from, int64_t at, PanelRow& rows, int64_t count) {
    const hn::FixedTag<float, 4> d;
    const auto r0 = hn::LoadU(d, from[0] + at), r1 = hn::LoadU(d, from[1] + at);
    const auto r2 = hn::LoadU(d, from[2] + at), r3 = hn::LoadU(d, from[3] + at);
    const auto a = hn::InterleaveLower(d, r0, r2), b = hn::InterleaveUpper(d, r0, r2);
    const auto c = hn::InterleaveLower(d, r1, r3), e = hn::InterleaveUpper(d, r1, r3);
    hn::StoreU(hn::InterleaveLower(d, a, c), d, rows.next());
    if (count > 1) hn::StoreU(hn::InterleaveUpper(d, a, c), d, rows.next());
    if (count > 2) hn::StoreU(hn::InterleaveLower(d, b, e), d, rows.next());
    if (count > 3) hn::StoreU(hn::InterleaveUpper(d, b, e), d, rows.next());
  }
};

HWY_INLINE FloatVector widened_f16(hn::Vec<Halves> v) {
  return hn::PromoteTo(Floats(), hn::BitCast(hn::Rebind<hwy::float16_t, Floats>(), v));
}
HWY_INLINE FloatVector widened_bf16(hn::Vec<Halves> v) {
  const hn::Rebind<uint32_t, Floats> words;
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(words, v)));
}

template <bool kF16>
struct FromHalves {
  using Element = uint16_t;
  static constexpr int64_t kColumns = kLanes, kElements = 8;

  static HWY_INLINE void put(hn::Vec<Halves> v, float* to) {
    hn::StoreU(kF16 ? widened_f16(v) : widened_bf16(v), Floats(), to);
  }
  static HWY_INLINE hn::Vec<Halves> load_rows(const uint16_t* const* from, int64_t at) {
    const hn::FixedTag<uint16_t, 8> eight;
#if HWY_TARGET <= HWY_AVX3
    return hn::Combine(Halves(), hn::LoadU(eight, from[8] + at), hn::LoadU(eight, from[0] + at));
#else
    return hn::LoadU(eight, from[0] + at);
#endif
  }
  // The address of an element in a square of 8 x 8 has three bits of row and three of column; a round of
  // interleaving rows i and i + 4 rotates them by one, so that three rounds exchange rows and columns.
  static HWY_INLINE void round(hn::Vec<Halves>* v) {
    const Halves d;
    const auto a0 = v[0], a1 = v[1], a2 = v[2], a3 = v[3], a4 = v[4], a5 = v[5], a6 = v[6], a7 = v[7];
    v[0] = hn::InterleaveLower(d, a0, a4);
    v[1] = hn::InterleaveUpper(d, a0, a4);
    v[2] = hn::InterleaveLower(d, a1, a5);
    v[3] = hn::InterleaveUpper(d, a1, a5);
    v[4] = hn::InterleaveLower(d, a2, a6);
    v[5] = hn::InterleaveUpper(d, a2, a6);
    v[6] = hn::InterleaveLower(d, a3, a7);
    v[7] = hn::InterleaveUpper(d, a3, a7);
  }
  static HWY_INLINE void turn(const uint16_t* const* from, int64_t at, PanelRow& rows, int64_t count) {
    hn::Vec<Halves> v[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) v[i] = load_rows(from + i, at);
    round(v);
    round(v);
    round(v);
    if (count == 8) {
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) put(v[i], rows.next());
    } else {
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) {
        if (i < count) put(v[i], rows.next());
      }
    }
  }
};

// Columns [0, From::kColumns) of one strip of a panel; `columns` of them there are.
template <class From>
void expand_strip(const PanelCall& call, const std::byte* weight, int64_t columns, float* panel) {
  using Element = typename From::Element;
  const int64_t elements = call.taps * call.channels;
  PanelRow rows{panel, call.width, call.taps, call.channels};
  const Element* from[From::kColumns];
  for (int64_t i = 0; i < From::kColumns; ++i) {
    from[i] = reinterpret_cast<const Element*>(weight + std::min(i, columns - 1) * call.row_bytes);
  }
  int64_t e = 0;
  if (columns == From::kColumns) {
    // Far enough ahead for memory, across the end of the block: the next one begins there.
    constexpr int64_t kAhead = 512 / sizeof(Element), kLine = 64 / sizeof(Element);
    for (; e + From::kElements <= elements; e += From::kElements) {
      if (e % kLine == 0) {
        for (int64_t i = 0; i < From::kColumns; ++i) __builtin_prefetch(from[i] + e + kAhead);
      }
      From::turn(from, e, rows, From::kElements);
    }
  }
  HWY_ALIGN Element square[From::kColumns][From::kElements];
  const Element* at[From::kColumns];
  for (int64_t i = 0; i < From::kColumns; ++i) at[i] = square[i];
  for (; e < elements; e += From::kElements) {
    const int64_t count = std::min(From::kElements, elements - e);
    std::memset(square, 0, sizeof(square));
    for (int64_t i = 0; i < columns; ++i) {
      std::memcpy(square[i], from[i] + e, static_cast<size_t>(count) * sizeof(Element));
    }
    From::turn(at, 0, rows, count);
  }
}

template <class From>
void expand_strips(const PanelCall& call, float* panel) {
  for (int64_t column = 0; column < call.width; column += From::kColumns) {
    const int64_t columns = std::min(From::kColumns, call.columns - column);
    if (columns > 0) {
      expand_strip<From>(call, call.weight + column * call.row_bytes, columns, panel + column);
      continue;
    }
    for (int64_t row = 0; row < call.taps * call.channels; ++row) {
      std::fill_n(panel + row * call.width + column, From::kColumns, 0.0F);
    }
  }
}

inline void expand_panel(const PanelCall& call, float* panel) {
  if (call.type == DType::kF32) return expand_strips<FromF32>(call, panel);
  if (call.type == DType::kF16) return expand_strips<FromHalves<true> >(call, panel);
  expand_strips<FromHalves<false> >(call, panel);
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#endif
