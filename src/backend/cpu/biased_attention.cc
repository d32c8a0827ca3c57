// Attention whose scores get a bias by relative position, as text encoders of T5's kind have it: at most some
// hundred tokens, where attention is a fiftieth of the layer's work. So the scores of a few queries are held
// whole, and the softmax is the plain one, without what flash attention needs for long sequences.
//
// A task takes some queries of one head. It lays the head's keys out transposed and its bias in a row, both
// in F32, so that the scores of neighbouring keys are neighbouring lanes. Each query is computed by itself,
// its keys in order: results do not depend on parts or threads.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "backend/cpu/dense_kernel.h"
#include "base/check.h"
#include "base/parallel.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/biased_attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/simd_math-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

#ifndef SNUG_BACKEND_CPU_BIASED_ATTENTION_ONCE
#define SNUG_BACKEND_CPU_BIASED_ATTENTION_ONCE
namespace snug {
namespace {

// Rows of floats begin and end at multiples of this, which is two vectors of any width or more.
constexpr int64_t kRowFloats = 64;
// Queries whose scores are computed together.
constexpr int64_t kQueries = 4;
// Queries of one task: all of a text, so that a head's keys are laid out once. Heads are tasks enough.
constexpr int64_t kTaskQueries = 512;

int64_t padded(int64_t floats) { return (floats + kRowFloats - 1) / kRowFloats * kRowFloats; }

// One head of one image. Row strides are in elements.
struct BiasedAttention {
  DType type = DType::kF32;
  const std::byte *q = nullptr, *k = nullptr, *v = nullptr, *bias = nullptr;
  std::byte* out = nullptr;
  int64_t q_stride = 0, k_stride = 0, v_stride = 0, bias_stride = 0, out_stride = 0;
  int64_t all_queries = 0, keys = 0;             // of the node
  Interval queries;                              // q and out begin with the first of them
  int64_t key_channels = 0, value_channels = 0;  // of one head
  float scale = 1;
  float* scratch = nullptr;
};

// A thread's scratch, in floats.
struct Rows {
  int64_t keys = 0, key_rows = 0, bias = 0, scores = 0, queries = 0;

  explicit Rows(const BiasedAttention& a)
      : keys(padded(a.keys)),
        key_rows(a.key_channels * keys),
        bias(padded(a.all_queries + a.keys - 1 + kRowFloats)),
        scores(kQueries * keys),
        queries(padded(kQueries * a.key_channels)) {}
  int64_t all() const { return key_rows + bias + scores + queries; }
};

}  // namespace
}  // namespace snug
#endif

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

static_assert(2 * kLanes <= kRowFloats);
constexpr float kLog2E = 1.44269504F;  // scores are kept in powers of two

HWY_INLINE float as_float(float x) { return x; }
HWY_INLINE float as_float(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <typename T>
class HeadRun {
 public:
  explicit HeadRun(const BiasedAttention& call)
      : a_(call),
        rows_(call),
        keys_(call.scratch),
        bias_(keys_ + rows_.key_rows),
        scores_(bias_ + rows_.bias),
        queries_(scores_ + rows_.scores) {}

  void run() {
    lay_out();
    for (int64_t query = 0; query < a_.queries.size(); query += kQueries) {
      const int64_t count = std::min(kQueries, a_.queries.size() - query);
      take_queries(query, count);
      score(a_.queries.begin + query, count);
      for (int64_t i = 0; i < count; ++i) factors_[static_cast<size_t>(i)] = weigh(scores_ + i * rows_.keys);
      mix(query, count);
    }
  }

 private:
  // The head's keys, transposed, with zeros behind the last; its bias, in powers of two.
  void lay_out() {
    const T* k = reinterpret_cast<const T*>(a_.k);
    for (int64_t c = 0; c < a_.key_channels; ++c) {
      float* row = keys_ + c * rows_.keys;
      for (int64_t key = 0; key < a_.keys; ++key) row[key] = as_float(k[key * a_.k_stride + c]);
      std::fill(row + a_.keys, row + rows_.keys, 0.0F);
    }
    const T* bias = reinterpret_cast<const T*>(a_.bias);
    const int64_t count = a_.all_queries + a_.keys - 1;
    for (int64_t i = 0; i < count; ++i) bias_[i] = kLog2E * as_float(bias[i * a_.bias_stride]);
    std::fill(bias_ + count, bias_ + rows_.bias, 0.0F);
  }

  // Rows that are missing in the last group are zeros.
  void take_queries(int64_t first, int64_t count) {
    std::fill(queries_, queries_ + rows_.queries, 0.0F);
    for (int64_t i = 0; i < count; ++i) {
      const T* q = reinterpret_cast<const T*>(a_.q) + (first + i) * a_.q_stride;
      for (int64_t c = 0; c < a_.key_channels; ++c) queries_[i * a_.key_channels + c] = as_float(q[c]);
    }
  }

  // `query` is the first one's place among all. Two vectors of keys at a time, for as many sums as hide an
  // addition's latency.
  HWY_INLINE void score(int64_t query, int64_t count) {
    const float *q0 = queries_, *q1 = q0 + a_.key_channels, *q2 = q1 + a_.key_channels,
                *q3 = q2 + a_.key_channels;
    for (int64_t key = 0; key < a_.keys; key += 2 * kLanes) {
      FloatVector s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0);
      FloatVector t0 = splat(0), t1 = splat(0), t2 = splat(0), t3 = splat(0);
      for (int64_t c = 0; c < a_.key_channels; ++c) {
        const float* row = keys_ + c * rows_.keys + key;
        const FloatVector k = load(row), l = load(row + kLanes);
        const FloatVector v0 = splat(q0[c]), v1 = splat(q1[c]), v2 = splat(q2[c]), v3 = splat(q3[c]);
        s0 = hn::MulAdd(v0, k, s0), t0 = hn::MulAdd(v0, l, t0);
        s1 = hn::MulAdd(v1, k, s1), t1 = hn::MulAdd(v1, l, t1);
        s2 = hn::MulAdd(v2, k, s2), t2 = hn::MulAdd(v2, l, t2);
        s3 = hn::MulAdd(v3, k, s3), t3 = hn::MulAdd(v3, l, t3);
      }
      put_scores(0, query, key, count, s0, t0);
      put_scores(1, query, key, count, s1, t1);
      put_scores(2, query, key, count, s2, t2);
      put_scores(3, query, key, count, s3, t3);
    }
  }

  // Those of the group's i-th query and of keys from `key` on; keys behind the last get no weight.
  HWY_INLINE void put_scores(int64_t i, int64_t query, int64_t key, int64_t count, FloatVector sum,
                             FloatVector next) {
    if (i >= count) return;
    const FloatVector scale = splat(a_.scale * kLog2E);
    const float* bias = bias_ + key - query - i + a_.all_queries - 1;
    float* scores = scores_ + i * rows_.keys + key;
    const auto seen = [&](FloatVector s, int64_t first) HWY_ATTR {
      const int64_t left = std::max<int64_t>(0, a_.keys - first);
      const FloatVector nothing = splat(-std::numeric_limits<float>::infinity());
      return left >= kLanes ? s : hn::IfThenElse(hn::FirstN(Floats(), static_cast<size_t>(left)), s, nothing);
    };
    store(seen(hn::MulAdd(sum, scale, load(bias)), key), scores);
    store(seen(hn::MulAdd(next, scale, load(bias + kLanes)), key + kLanes), scores + kLanes);
  }

  // Scores become weights, not yet divided by their sum, whose inverse is returned.
  HWY_INLINE float weigh(float* scores) const {
    FloatVector most = splat(-std::numeric_limits<float>::infinity());
    for (int64_t key = 0; key < a_.keys; key += kLanes) most = hn::Max(most, load(scores + key));
    const FloatVector highest = hn::MaxOfLanes(Floats(), most);
    FloatVector sum = splat(0);
    for (int64_t key = 0; key < a_.keys; key += kLanes) {
      const FloatVector weight = exp2(hn::Sub(load(scores + key), highest));
      store(weight, scores + key);
      sum = hn::Add(sum, weight);
    }
    return 1 / sum_of_lanes(sum);
  }

  HWY_INLINE void mix(int64_t first, int64_t count) {
    std::fill(scores_ + count * rows_.keys, scores_ + rows_.scores, 0.0F);
    int64_t c = 0;
    for (; c + 2 * kLanes <= a_.value_channels; c += 2 * kLanes) mix_two(first, count, c);
    for (; c < a_.value_channels; c += kLanes) mix_one(first, count, c);
  }

  // Two whole vectors of channels.
  HWY_INLINE void mix_two(int64_t first, int64_t count, int64_t c) {
    const float *w0 = scores_, *w1 = w0 + rows_.keys, *w2 = w1 + rows_.keys, *w3 = w2 + rows_.keys;
    FloatVector s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0);
    FloatVector t0 = splat(0), t1 = splat(0), t2 = splat(0), t3 = splat(0);
    for (int64_t key = 0; key < a_.keys; ++key) {
      const T* row = reinterpret_cast<const T*>(a_.v) + key * a_.v_stride + c;
      const FloatVector v = load(row), w = load(row + kLanes);
      s0 = hn::MulAdd(splat(w0[key]), v, s0), t0 = hn::MulAdd(splat(w0[key]), w, t0);
      s1 = hn::MulAdd(splat(w1[key]), v, s1), t1 = hn::MulAdd(splat(w1[key]), w, t1);
      s2 = hn::MulAdd(splat(w2[key]), v, s2), t2 = hn::MulAdd(splat(w2[key]), w, t2);
      s3 = hn::MulAdd(splat(w3[key]), v, s3), t3 = hn::MulAdd(splat(w3[key]), w, t3);
    }
    put_results(0, first, count, c, kLanes, s0), put_results(0, first, count, c + kLanes, kLanes, t0);
    put_results(1, first, count, c, kLanes, s1), put_results(1, first, count, c + kLanes, kLanes, t1);
    put_results(2, first, count, c, kLanes, s2), put_results(2, first, count, c + kLanes, kLanes, t2);
    put_results(3, first, count, c, kLanes, s3), put_results(3, first, count, c + kLanes, kLanes, t3);
  }

  // One, the last of which may be short.
  HWY_INLINE void mix_one(int64_t first, int64_t count, int64_t c) {
    const float *w0 = scores_, *w1 = w0 + rows_.keys, *w2 = w1 + rows_.keys, *w3 = w2 + rows_.keys;
    const int64_t lanes = std::min(kLanes, a_.value_channels - c);
    FloatVector s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0);
    for (int64_t key = 0; key < a_.keys; ++key) {
      const T* row = reinterpret_cast<const T*>(a_.v) + key * a_.v_stride + c;
      const FloatVector v = lanes == kLanes ? load(row) : load_some(row, lanes);
      s0 = hn::MulAdd(splat(w0[key]), v, s0);
      s1 = hn::MulAdd(splat(w1[key]), v, s1);
      s2 = hn::MulAdd(splat(w2[key]), v, s2);
      s3 = hn::MulAdd(splat(w3[key]), v, s3);
    }
    put_results(0, first, count, c, lanes, s0);
    put_results(1, first, count, c, lanes, s1);
    put_results(2, first, count, c, lanes, s2);
    put_results(3, first, count, c, lanes, s3);
  }

  HWY_INLINE void put_results(int64_t i, int64_t first, int64_t count, int64_t c, int64_t lanes,
                              FloatVector sum) const {
    if (i >= count) return;
    T* out = reinterpret_cast<T*>(a_.out) + (first + i) * a_.out_stride + c;
    const FloatVector result = hn::Mul(sum, splat(factors_[static_cast<size_t>(i)]));
    lanes == kLanes ? store(result, out) : store_some(result, out, lanes);
  }

  const BiasedAttention& a_;
  Rows rows_;
  float *keys_, *bias_, *scores_, *queries_;
  std::array<float, kQueries> factors_{};
};

void attend_head(const BiasedAttention& call) {
  if (call.type == DType::kF32) {
    HeadRun<float>(call).run();
  } else {
    HeadRun<uint16_t>(call).run();
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {

HWY_EXPORT(attend_head);

class BiasedAttentionKernel final : public DenseKernel {
 public:
  explicit BiasedAttentionKernel(const NodeSpec& node) : DenseKernel(node), threads_(thread_count()) {
    const auto& attrs = std::get<AttentionAttrs>(node.attrs);
    all_.type = node.output.dtype;
    all_.all_queries = node.operands[0].shape[1];
    all_.keys = node.operands[1].shape[1];
    all_.key_channels = node.operands[0].shape[2] / attrs.heads;
    all_.value_channels = node.operands[2].shape[2] / attrs.heads;
    all_.scale = attrs.scale;
    heads_ = attrs.heads;
  }

  std::string_view name() const override { return "cpu_biased_attention"; }
  Splits splits() const override { return {.pixels = true}; }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(thread_floats() * threads_) * sizeof(float);
  }

  void run(const KernelArgs& args) const override {
    SNUG_CHECK(thread_count() <= threads_, "scratch was planned for as many threads as run");
    const Interval images = args.part.images, queries = args.part.pixels;
    const int64_t steps = (queries.size() + kTaskQueries - 1) / kTaskQueries;
    parallel_tasks(images.size() * heads_ * steps, [&](int64_t index) {
      const int64_t row = index / steps, first = queries.begin + index % steps * kTaskQueries;
      BiasedAttention call = call_of(args, images.begin + row / heads_, row % heads_, first);
      call.queries = {first, std::min(first + kTaskQueries, queries.end)};
      call.scratch = reinterpret_cast<float*>(args.scratch) + thread_index() * thread_floats();
      HWY_DYNAMIC_DISPATCH(attend_head)(call);
    });
  }

 private:
  int64_t thread_floats() const { return Rows(all_).all(); }

  BiasedAttention call_of(const KernelArgs& args, int64_t image, int64_t head, int64_t query) const {
    const int64_t bytes = element_bytes(all_.type);
    BiasedAttention call = all_;
    call.q = element_at(args.inputs[0], image, query, head * call.key_channels, bytes);
    call.k = element_at(args.inputs[1], image, 0, head * call.key_channels, bytes);
    call.v = element_at(args.inputs[2], image, 0, head * call.value_channels, bytes);
    call.bias = element_at(args.inputs[3], 0, 0, head, bytes);
    call.out = output_at(args, image, query, head * call.value_channels, bytes);
    call.q_stride = args.inputs[0].held.channels.size();
    call.k_stride = args.inputs[1].held.channels.size();
    call.v_stride = args.inputs[2].held.channels.size();
    call.bias_stride = args.inputs[3].held.channels.size();
    call.out_stride = args.output_held.channels.size();
    return call;
  }

  BiasedAttention all_;
  int64_t heads_ = 1;
  int threads_;
};

}  // namespace

std::unique_ptr<Kernel> make_biased_attention(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason)) return nullptr;
  if (node.operands.size() < 4 || !node.operands[3].present) {
    reason = "takes a bias";
  } else if (node.operands[3].is_weight || node.operands[3].dtype != node.output.dtype) {
    reason = "takes a bias that is an activation, of the queries' element type";
  } else if (std::get<AttentionAttrs>(node.attrs).causal) {
    reason = "lets every query see all keys";
  } else {
    return std::make_unique<BiasedAttentionKernel>(node);
  }
  return nullptr;
}

}  // namespace snug
#endif
