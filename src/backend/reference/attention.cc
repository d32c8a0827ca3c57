#include <algorithm>
#include <cmath>

#include "backend/reference/reference_kernel.h"
#include "base/parallel.h"

namespace snug::reference {
namespace {

// Each image, head and strip of queries has a row of scores of its own, so that they can run side by side.
constexpr int64_t kStrips = 8;

}  // namespace

size_t attention_scratch_bytes(const NodeSpec& node) {
  const int64_t rows = node.operands[0].shape[0] * std::get<AttentionAttrs>(node.attrs).heads * kStrips;
  return static_cast<size_t>(rows * node.operands[1].shape[1]) * sizeof(double);
}

void attention(const NodeSpec& node, const KernelArgs& args) {
  const auto& attrs = std::get<AttentionAttrs>(node.attrs);
  const Elements q(node, args, 0), k(node, args, 1), v(node, args, 2);
  const bool biased = node.operands.size() > 3 && node.operands[3].present;
  const Elements bias = biased ? Elements(node, args, 3) : Elements(DType::kF32, nullptr);
  const Output output(node, args);
  const int64_t queries = node.operands[0].shape[1], keys = node.operands[1].shape[1];
  const int64_t q_width = node.operands[0].shape[2], v_width = node.operands[2].shape[2];
  const int64_t d = q_width / attrs.heads, e = v_width / attrs.heads;

  // Keys of which a query sees the first `seen_by`, and how many.
  const auto first_key = [&](int64_t query) {
    return attrs.window > 0 ? query / attrs.window * attrs.window : 0;
  };
  const auto seen_by = [&](int64_t query) {
    return attrs.causal ? query + 1 : attrs.window > 0 ? attrs.window : keys;
  };
  // Softmax of one query's scores, in place; returns how many keys it sees.
  const auto weights_of = [&](int64_t n, int64_t head, int64_t query, double* weights) {
    const int64_t seen = seen_by(query), first = n * keys + first_key(query);
    double most = -INFINITY, sum = 0;
    for (int64_t key = 0; key < seen; ++key) {
      double dot = 0;
      for (int64_t i = 0; i < d; ++i) {
        dot += static_cast<double>(q[(n * queries + query) * q_width + head * d + i]) *
               k[(first + key) * q_width + head * d + i];
      }
      weights[key] = dot * attrs.scale;
      if (biased) weights[key] += bias[(key - query + queries - 1) * attrs.heads + head];
      most = std::max(most, weights[key]);
    }
    for (int64_t key = 0; key < seen; ++key) sum += weights[key] = std::exp(weights[key] - most);
    for (int64_t key = 0; key < seen; ++key) weights[key] /= sum;
    return seen;
  };

  parallel_for(node.operands[0].shape[0] * attrs.heads * kStrips, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t n = row / kStrips / attrs.heads, head = row / kStrips % attrs.heads;
      double* weights = reinterpret_cast<double*>(args.scratch) + row * keys;
      for (int64_t query = row % kStrips; query < queries; query += kStrips) {
        const int64_t seen = weights_of(n, head, query, weights);
        for (int64_t i = 0; i < e; ++i) {
          double sum = 0;
          for (int64_t key = 0; key < seen; ++key)
            sum += weights[key] * v[(n * keys + first_key(query) + key) * v_width + head * e + i];
          output.set((n * queries + query) * v_width + head * e + i, sum);
        }
      }
    }
  });
}

}  // namespace snug::reference
