// Flash attention with queries along the vector's lanes.
//
// One task is one head and one block of queries. Its queries are transposed once, so that a row of scores is
// one key against kBlockQueries queries: a key's and a value's elements are broadcast from where they lie
// (nothing of K and V is rearranged), maxima and sums need no work across lanes, and both products are the
// same small matrix product. A query's result depends on its own lane alone: where a block begins changes no
// bit.
#include "backend/cpu/attention.h"

#include <algorithm>
#include <limits>

#include "backend/cpu/dense_kernel.h"
#include "base/check.h"
#include "base/parallel.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/simd_math-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

#ifndef SNUG_BACKEND_CPU_ATTENTION_ONCE
#define SNUG_BACKEND_CPU_ATTENTION_ONCE
namespace snug {
namespace {

// Four vectors of AVX-512; a block of scores (kBlockKeys rows of it) is 24 KiB, half a first-level cache.
constexpr int64_t kBlockQueries = 64;
constexpr int64_t kBlockKeys = 96;

struct Attention {
  DType type = DType::kF32;
  OperandView q, k, v, out;
  int64_t keys = 0;
  Interval images, heads, queries;               // the part
  int64_t key_channels = 0, value_channels = 0;  // of one head
  float scale = 1;
  bool causal = false;
};

// Floats of a thread's buffers: transposed queries, scores, transposed results, maxima, sums, and a block of
// keys and values widened from BF16.
struct Buffers {
  float *queries, *scores, *results, *maxima, *sums, *keys, *values;

  static int64_t floats(const Attention& a) {
    const int64_t widened = a.type == DType::kF32 ? 0 : kBlockKeys * (a.key_channels + a.value_channels);
    const int64_t all = kBlockQueries * (a.key_channels + kBlockKeys + a.value_channels + 2) + widened;
    return (all + 15) / 16 * 16;
  }
  Buffers(const Attention& a, float* memory) {
    queries = memory;
    scores = queries + kBlockQueries * a.key_channels;
    results = scores + kBlockQueries * kBlockKeys;
    maxima = results + kBlockQueries * a.value_channels;
    sums = maxima + kBlockQueries;
    keys = sums + kBlockQueries;
    values = keys + kBlockKeys * a.key_channels;
  }
};

// Elements a(row, t) at from[row * row_stride + t * t_stride].
struct Strided {
  const float* from = nullptr;
  int64_t row_stride = 0, t_stride = 0;
};

}  // namespace
}  // namespace snug
#endif

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

// Rows of a tile: as many accumulators of two vectors as the registers hold beside the operands.
constexpr int kTileRows = HWY_TARGET <= HWY_AVX3 ? 12 : 6;
constexpr int64_t kTileQueries = 2 * kLanes;
static_assert(kBlockQueries % kTileQueries == 0);

// c(row, lanes) = sum over t < depth of a(row, t) b(t, lanes), onto what is there when kAccumulate. b and c
// have rows of kBlockQueries.
template <int kRows, bool kAccumulate>
HWY_INLINE void tile(const Strided& a, const float* HWY_RESTRICT b, int64_t depth, float* HWY_RESTRICT c) {
  FloatVector low[kRows], high[kRows];
  for (int r = 0; r < kRows; ++r) {
    low[r] = kAccumulate ? load(c + r * kBlockQueries) : splat(0);
    high[r] = kAccumulate ? load(c + r * kBlockQueries + kLanes) : splat(0);
  }
  const float* at = a.from;
  const int64_t stride = a.row_stride;
  for (int64_t t = 0; t < depth; ++t) {
    const FloatVector b0 = load(b), b1 = load(b + kLanes);
    for (int r = 0; r < kRows; ++r) {
      const FloatVector x = splat(at[r * stride]);
      low[r] = hn::MulAdd(x, b0, low[r]);
      high[r] = hn::MulAdd(x, b1, high[r]);
    }
    at += a.t_stride;
    b += kBlockQueries;
  }
  for (int r = 0; r < kRows; ++r) {
    store(low[r], c + r * kBlockQueries);
    store(high[r], c + r * kBlockQueries + kLanes);
  }
}

// The product for any number of rows: whole tiles, then single rows.
template <bool kAccumulate>
void product(Strided a, const float* b, int64_t depth, int64_t rows, float* c) {
  int64_t row = 0;
  const auto tiles = [&](auto count) HWY_ATTR {
    constexpr int kRows = decltype(count)::value;
    for (; row + kRows <= rows; row += kRows) {
      const Strided at{a.from + row * a.row_stride, a.row_stride, a.t_stride};
      for (int64_t q = 0; q < kBlockQueries; q += kTileQueries) {
        tile<kRows, kAccumulate>(at, b + q, depth, c + row * kBlockQueries + q);
      }
    }
  };
  tiles(std::integral_constant<int, kTileRows>());
  tiles(std::integral_constant<int, 4>());
  tiles(std::integral_constant<int, 1>());
}

// queries [count, stride] → transposed [channels, kBlockQueries], scaled; absent queries are 0.
template <typename T>
void transpose_queries(const T* q, int64_t stride, int64_t count, int64_t channels, float scale, float* out) {
  HWY_ALIGN float row[kLanes];
  for (int64_t c = 0; c < channels; c += kLanes) {
    const int64_t width = std::min<int64_t>(kLanes, channels - c);
    for (int64_t i = 0; i < kBlockQueries; ++i) {
      const FloatVector x = i >= count        ? splat(0)
                            : width == kLanes ? load(q + i * stride + c)
                                              : load_some(q + i * stride + c, width);
      store(hn::Mul(x, splat(scale)), row);
      for (int64_t j = 0; j < width; ++j) out[(c + j) * kBlockQueries + i] = row[j];
    }
  }
}

// results [channels, kBlockQueries] over sums → out [count, stride].
template <typename T>
void write_results(const Buffers& buffers, int64_t count, int64_t channels, T* out, int64_t stride) {
  for (int64_t q = 0; q < kBlockQueries; q += kLanes) {
    const FloatVector inverse = hn::Div(splat(1), load(buffers.sums + q));
    for (int64_t c = 0; c < channels; ++c) {
      float* at = buffers.results + c * kBlockQueries + q;
      store(hn::Mul(load(at), inverse), at);
    }
  }
  HWY_ALIGN float row[kLanes];
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t c = 0; c < channels; c += kLanes) {
      const int64_t width = std::min<int64_t>(kLanes, channels - c);
      for (int64_t j = 0; j < width; ++j) row[j] = buffers.results[(c + j) * kBlockQueries + i];
      if (width == kLanes) {
        store(load(row), out + i * stride + c);
      } else {
        store_some(load(row), out + i * stride + c, width);
      }
    }
  }
}

// Keys that a query may not see get the lowest score there is.
void mask_future(float* scores, int64_t first_query, int64_t first_key, int64_t keys) {
  for (int64_t k = 0; k < keys; ++k) {
    const int64_t unseeing = std::clamp<int64_t>(first_key + k - first_query, 0, kBlockQueries);
    std::fill_n(scores + k * kBlockQueries, unseeing, -std::numeric_limits<float>::infinity());
  }
}

// Scores become weights exp(score - maximum so far); what was summed up under an older maximum is scaled to
// the new.
void soften(const Buffers& buffers, int64_t keys, int64_t value_channels) {
  for (int64_t q = 0; q < kBlockQueries; q += kLanes) {
    const FloatVector before = load(buffers.maxima + q);
    FloatVector most = before;
    for (int64_t k = 0; k < keys; ++k) most = hn::Max(most, load(buffers.scores + k * kBlockQueries + q));
    FloatVector sum = splat(0);
    const FloatVector nothing = splat(-87.0F);  // below it exp() no longer follows; such a weight is 0
    for (int64_t k = 0; k < keys; ++k) {
      float* at = buffers.scores + k * kBlockQueries + q;
      const FloatVector x = hn::Sub(load(at), most);
      const FloatVector weight = hn::IfThenZeroElse(hn::Lt(x, nothing), exp(x));
      sum = hn::Add(sum, weight);
      store(weight, at);
    }
    const FloatVector shift = hn::Sub(before, most);
    const FloatVector keep = hn::IfThenZeroElse(hn::Lt(shift, nothing), exp(shift));
    store(hn::MulAdd(load(buffers.sums + q), keep, sum), buffers.sums + q);
    store(most, buffers.maxima + q);
    if (hn::AllTrue(Floats(), hn::Eq(before, most))) continue;  // keep is 1
    for (int64_t c = 0; c < value_channels; ++c) {
      float* at = buffers.results + c * kBlockQueries + q;
      store(hn::Mul(load(at), keep), at);
    }
  }
}

// Rows [count, stride] as floats: in place for F32, widened into `buffer` for BF16.
HWY_INLINE Strided widened(const float* rows, int64_t stride, int64_t, int64_t, float*) {
  return {rows, stride, 1};
}
HWY_INLINE Strided widened(const uint16_t* rows, int64_t stride, int64_t count, int64_t channels,
                           float* buffer) {
  for (int64_t i = 0; i < count; ++i) {
    map(NoActivation(), rows + i * stride, buffer + i * channels, channels);
  }
  return {buffer, channels, 1};
}

// First element of that pixel and head, of `channels` each.
template <typename T>
T* at(const OperandView& view, int64_t image, int64_t pixel, int64_t head, int64_t channels) {
  const std::byte* address = element_at(view, image, pixel, head * channels, sizeof(T));
  return reinterpret_cast<T*>(const_cast<std::byte*>(address));
}

template <typename T>
void attend_block(const Attention& a, int64_t image, int64_t head, int64_t first_query,
                  const Buffers& buffers) {
  const int64_t q_stride = a.q.held.channels.size(), out_stride = a.out.held.channels.size();
  const int64_t key_stride = a.k.held.channels.size(), value_stride = a.v.held.channels.size();
  const T* q = at<T>(a.q, image, first_query, head, a.key_channels);
  const T* k = at<T>(a.k, image, 0, head, a.key_channels);
  const T* v = at<T>(a.v, image, 0, head, a.value_channels);
  T* out = at<T>(a.out, image, first_query, head, a.value_channels);
  const int64_t count = std::min(kBlockQueries, a.queries.end - first_query);

  transpose_queries(q, q_stride, count, a.key_channels, a.scale, buffers.queries);
  std::fill_n(buffers.results, kBlockQueries * a.value_channels, 0.0F);
  std::fill_n(buffers.sums, kBlockQueries, 0.0F);
  std::fill_n(buffers.maxima, kBlockQueries, -std::numeric_limits<float>::max());
  const int64_t seen = a.causal ? std::min(a.keys, first_query + kBlockQueries) : a.keys;
  for (int64_t first_key = 0; first_key < seen; first_key += kBlockKeys) {
    const int64_t keys = std::min(kBlockKeys, seen - first_key);
    const Strided key_rows =
        widened(k + first_key * key_stride, key_stride, keys, a.key_channels, buffers.keys);
    product<false>(key_rows, buffers.queries, a.key_channels, keys, buffers.scores);
    if (a.causal && first_key + keys > first_query) mask_future(buffers.scores, first_query, first_key, keys);
    soften(buffers, keys, a.value_channels);
    const Strided values =
        widened(v + first_key * value_stride, value_stride, keys, a.value_channels, buffers.values);
    product<true>({values.from, 1, values.row_stride}, buffers.scores, keys, a.value_channels,
                  buffers.results);
  }
  write_results(buffers, count, a.value_channels, out, out_stride);
}

void attend(const Attention& a, int64_t first_task, int64_t last_task, float* memory) {
  const Buffers buffers(a, memory);
  const int64_t blocks = (a.queries.size() + kBlockQueries - 1) / kBlockQueries;
  for (int64_t task = first_task; task < last_task; ++task) {
    const int64_t row = task / blocks;
    const int64_t image = a.images.begin + row / a.heads.size(), head = a.heads.begin + row % a.heads.size();
    const int64_t first_query = a.queries.begin + task % blocks * kBlockQueries;
    if (a.type == DType::kF32) {
      attend_block<float>(a, image, head, first_query, buffers);
    } else {
      attend_block<uint16_t>(a, image, head, first_query, buffers);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {

HWY_EXPORT(attend);

class FlashAttention final : public DenseKernel {
 public:
  explicit FlashAttention(const NodeSpec& node) : DenseKernel(node), threads_(thread_count()) {
    const auto& attrs = std::get<AttentionAttrs>(node.attrs);
    const Shape& q = node.operands[0].shape;
    const Shape& v = node.operands[2].shape;
    call_.type = node.output.dtype;
    call_.keys = v[1];
    call_.key_channels = q[2] / attrs.heads;
    call_.value_channels = v[2] / attrs.heads;
    call_.scale = attrs.scale;
    call_.causal = attrs.causal;
  }

  std::string_view name() const override { return "cpu_flash_attention"; }

  Splits splits() const override { return {true, true, call_.value_channels}; }

  size_t scratch_bytes() const override {
    return static_cast<size_t>(Buffers::floats(call_)) * sizeof(float) * static_cast<size_t>(threads_);
  }

  void run(const KernelArgs& args) const override {
    SNUG_CHECK(thread_count() <= threads_, "scratch was planned for as many threads as run");
    Attention call = call_;
    call.q = args.inputs[0];
    call.k = args.inputs[1];
    call.v = args.inputs[2];
    call.out = {args.output, args.output_held};
    call.images = args.part.images;
    call.heads = {args.part.channels.begin / call.value_channels,
                  args.part.channels.end / call.value_channels};
    call.queries = args.part.pixels;
    auto* scratch = reinterpret_cast<float*>(args.scratch);
    const int64_t blocks = (call.queries.size() + kBlockQueries - 1) / kBlockQueries;
    const int64_t tasks = call.images.size() * call.heads.size() * blocks;
    parallel_for(tasks, 1, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(attend)(call, begin, end, scratch + thread_index() * Buffers::floats(call));
    });
  }

 private:
  Attention call_;
  int threads_;
};

}  // namespace

std::unique_ptr<Kernel> make_flash_attention(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason)) return nullptr;
  return std::make_unique<FlashAttention>(node);
}

}  // namespace snug
#endif  // HWY_ONCE
