// Weights from the rows of their file to packed panels, and packed panels to panels of floats (gemm_tile.h).
// Compiled once for each instruction set: include after hwy/foreach_target.h and hwy/highway.h.
//
// A weight's row is one output channel, a panel's row one inner index: packing is a transposition, done in
// registers, of elements that are only moved; so that expanding reads and writes in order.
#if defined(SNUG_BACKEND_CPU_GEMM_PANEL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SNUG_BACKEND_CPU_GEMM_PANEL_INL_H
#undef SNUG_BACKEND_CPU_GEMM_PANEL_INL_H
#else
#define SNUG_BACKEND_CPU_GEMM_PANEL_INL_H
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

// Walks a block's elements in the order of the file, a channel's taps together, and says where in the packed
// block each belongs.
template <typename Element>
struct PackedRow {
  Element* block;
  int64_t columns, taps, channels;
  int64_t tap = 0, channel = 0;

  HWY_INLINE Element* next() {
    Element* const row = block + (tap * channels + channel) * columns;
    if (++tap == taps) {
      tap = 0;
      ++channel;
    }
    return row;
  }
};

template <typename Element>
HWY_INLINE void pack_element_wise(const Element* const* from, int64_t first, int64_t elements,
                                  int64_t columns, PackedRow<Element>& to) {
  for (int64_t e = first; e < elements; ++e) {
    Element* const row = to.next();
    for (int64_t i = 0; i < columns; ++i) row[i] = from[i][e];
  }
}

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

template <typename Element>
struct Square {
  static constexpr int64_t kColumns = 4, kElements = 1;
  static void turn(const Element* const* from, int64_t at, PackedRow<Element>& to) {
    pack_element_wise(from, at, at + 1, kColumns, to);
  }
};

#else

// How many output channels and elements are turned at a time, by the size of an element.
template <typename Element>
struct Square;

template <>
struct Square<uint32_t> {
  static constexpr int64_t kColumns = 4, kElements = 4;

  static HWY_INLINE void turn(const uint32_t* const* from, int64_t at, PackedRow<uint32_t>& to) {
    const hn::FixedTag<uint32_t, 4> d;
    const auto r0 = hn::LoadU(d, from[0] + at), r1 = hn::LoadU(d, from[1] + at);
    const auto r2 = hn::LoadU(d, from[2] + at), r3 = hn::LoadU(d, from[3] + at);
    const auto a = hn::InterleaveLower(d, r0, r2), b = hn::InterleaveUpper(d, r0, r2);
    const auto c = hn::InterleaveLower(d, r1, r3), e = hn::InterleaveUpper(d, r1, r3);
    hn::StoreU(hn::InterleaveLower(d, a, c), d, to.next());
    hn::StoreU(hn::InterleaveUpper(d, a, c), d, to.next());
    hn::StoreU(hn::InterleaveLower(d, b, e), d, to.next());
    hn::StoreU(hn::InterleaveUpper(d, b, e), d, to.next());
  }
};

template <>
struct Square<uint16_t> {
  static constexpr int64_t kColumns = kLanes, kElements = 8;

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
  static HWY_INLINE void turn(const uint16_t* const* from, int64_t at, PackedRow<uint16_t>& to) {
    hn::Vec<Halves> v[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) v[i] = load_rows(from + i, at);
    round(v);
    round(v);
    round(v);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) hn::StoreU(v[i], Halves(), to.next());
  }
};

#endif

// Some columns of one block: whole squares, then what is left, element by element.
template <typename Element>
void pack_strip(const Element* const* from, int64_t columns, int64_t elements, PackedRow<Element> to) {
  using S = Square<Element>;
  int64_t e = 0;
  if (columns == S::kColumns) {
    for (; e + S::kElements <= elements; e += S::kElements) S::turn(from, e, to);
  }
  pack_element_wise(from, e, elements, columns, to);
}

template <typename Element>
void pack_panel_of(const PackCall& call) {
  using S = Square<Element>;
  const int64_t row_elements = call.taps * call.channels;
  const auto* const rows = reinterpret_cast<const Element*>(call.rows);
  auto* block = reinterpret_cast<Element*>(call.packed);
  for (int64_t channel = 0; channel < call.channels; channel += call.block_channels) {
    const int64_t channels = std::min(call.block_channels, call.channels - channel);
    for (int64_t column = 0; column < call.columns; column += S::kColumns) {
      const int64_t columns = std::min(S::kColumns, call.columns - column);
      const Element* from[S::kColumns];
      for (int64_t i = 0; i < columns; ++i) {
        from[i] = rows + (column + i) * row_elements + channel * call.taps;
      }
      pack_strip<Element>(from, columns, channels * call.taps,
                          {block + column, call.columns, call.taps, channels});
    }
    block += call.columns * call.taps * channels;
  }
}

inline void pack_panel(const PackCall& call) {
  if (call.type == DType::kF32) return pack_panel_of<uint32_t>(call);
  pack_panel_of<uint16_t>(call);
}

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

inline void widen_row(DType type, const std::byte* from, int64_t count, float* to) {
  to_f32(type, from, {to, static_cast<size_t>(count)});
}

#else

HWY_INLINE FloatVector widened_f16(hn::Vec<Halves> v) {
  return hn::PromoteTo(Floats(), hn::BitCast(hn::Rebind<hwy::float16_t, Floats>(), v));
}
HWY_INLINE FloatVector widened_bf16(hn::Vec<Halves> v) {
  const hn::Rebind<uint32_t, Floats> words;
  return hn::BitCast(Floats(), hn::ShiftLeft<16>(hn::PromoteTo(words, v)));
}

template <bool kF16>
HWY_INLINE void widen_halves(const uint16_t* from, int64_t count, float* to) {
  const auto widened = [](hn::Vec<Halves> v) HWY_ATTR { return kF16 ? widened_f16(v) : widened_bf16(v); };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    hn::StoreU(widened(hn::LoadU(Halves(), from + i)), Floats(), to + i);
  if (i == count) return;
  HWY_ALIGN uint16_t last[kLanes] = {};
  HWY_ALIGN float wide[kLanes];
  std::copy(from + i, from + count, last);
  hn::StoreU(widened(hn::LoadU(Halves(), last)), Floats(), wide);
  std::copy_n(wide, count - i, to + i);
}

inline void widen_row(DType type, const std::byte* from, int64_t count, float* to) {
  if (type == DType::kF32) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
  } else if (type == DType::kF16) {
    widen_halves<true>(reinterpret_cast<const uint16_t*>(from), count, to);
  } else {
    widen_halves<false>(reinterpret_cast<const uint16_t*>(from), count, to);
  }
}

#endif

// A packed block of elements of the file's type as floats, filled up to the width.
inline void expand_panel(const PanelCall& call, float* panel) {
  const int64_t rows = call.taps * call.channels;
  if (call.columns == call.width) return widen_row(call.type, call.packed, rows * call.width, panel);
  const int64_t row_bytes = call.columns * element_bytes(call.type);
  for (int64_t row = 0; row < rows; ++row, panel += call.width) {
    widen_row(call.type, call.packed + row * row_bytes, call.columns, panel);
    std::fill(panel + call.columns, panel + call.width, 0.0F);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#endif
