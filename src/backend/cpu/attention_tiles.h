// The inner pieces of attention, compiled for each instruction set: bringing rows into the order that the
// products want, and the two products with the softmax between them. attention.cc cuts the work and calls
// them; attention_f32.cc and attention_bf16.cc have them.
//
// Queries lie along the vector's lanes, `panel_queries` of them side by side: a panel. A score is one key
// against a panel, a result one channel of the values for a panel, so maxima and sums need no work across
// lanes, and no query's result depends on its neighbours. Scores are in powers of two: q·k scale log2(e), so
// that a weight is 2^(score - offset). Offsets are the caller's affair (attention.cc says how it finds them).
//
// A set of functions chooses how its queries, keys, values and weights lie; the caller only asks how many
// bytes they take and hands them from one function to the next. Memory is aligned to 64 bytes and the
// caller's. What a query gets follows from its own elements and the block's keys, in an order that
// depends on the numbers of keys and channels alone. Nothing here allocates or throws; all may run on several
// threads at once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace snug {

// The most queries that a panel has, for arrays.
inline constexpr int64_t kMostPanelQueries = 32;

// Rows of one head, F32 or BF16: the head's channels of pixels that follow each other.
struct HeadRows {
  const std::byte* data = nullptr;
  int64_t row_bytes = 0;  // from one pixel to the next
  int64_t count = 0, channels = 0;
};

// One panel of queries against one block of keys.
struct ScoreCall {
  const std::byte* queries = nullptr;  // by pack_queries
  const std::byte* keys = nullptr;     // by pack_keys
  int64_t key_count = 0, channels = 0;
  double scale = 1;                // the node's times log2(e), as in pack_queries
  const float* offsets = nullptr;  // of each query
  // Causal: query i sees the keys up to first_seen + i and no more; the other scores are -infinity.
  bool causal = false;
  int64_t first_seen = 0;
  std::byte* weights = nullptr;  // by weigh; room to work in for find_maxima
  float* answers = nullptr;      // of each query: sum of weights, or highest score
};

struct ResultCall {
  const std::byte* weights = nullptr;  // by weigh
  const std::byte* values = nullptr;   // by pack_values
  int64_t key_count = 0, channels = 0;
  bool first = false;        // results hold nothing yet
  float* results = nullptr;  // [channels][panel_queries]
};

struct AttentionTiles {
  int64_t panel_queries = 0;

  // Bytes of a panel of queries, of a block's keys and values, and of the weights of a panel and a block.
  int64_t (*query_bytes)(int64_t channels) = nullptr;
  int64_t (*key_bytes)(int64_t keys, int64_t channels) = nullptr;
  int64_t (*value_bytes)(int64_t keys, int64_t channels) = nullptr;
  int64_t (*weight_bytes)(int64_t keys) = nullptr;

  // Up to panel_queries queries; the lanes of absent ones are 0.
  void (*pack_queries)(const HeadRows& rows, double scale, std::byte* out) = nullptr;
  void (*pack_keys)(const HeadRows& rows, std::byte* out) = nullptr;
  void (*pack_values)(const HeadRows& rows, std::byte* out) = nullptr;

  // weights = 2^(score - offset), and their sums. A score far enough above its offset (2^64 and more) makes
  // the sum infinite or NaN; a score of NaN makes it NaN.
  void (*weigh)(const ScoreCall& call) = nullptr;
  // The highest score of each query. Offsets are not used. Where a score is NaN, any value.
  void (*find_maxima)(const ScoreCall& call) = nullptr;
  // results += weights · values.
  void (*add_values)(const ResultCall& call) = nullptr;
  // results · factors [panel_queries], as rows of the output: the first `count` queries.
  void (*write_results)(const float* results, const float* factors, int64_t count, int64_t channels,
                        std::byte* out, int64_t row_bytes) = nullptr;
};

// Calls body(first, size) for the tiles that cover [0, count): as few as can be of at most `most`, and as
// equal as can be.
template <typename Body>
void for_each_tile(int64_t count, int64_t most, const Body& body) {
  const int64_t tiles = (count + most - 1) / most;
  const int64_t least = count / tiles, larger = count % tiles;
  for (int64_t tile = 0, first = 0; tile < tiles; ++tile) {
    const int64_t size = least + (tile < larger ? 1 : 0);
    body(first, size);
    first += size;
  }
}

// Products in F32 of rows of F32 or BF16; the instruction set must be settled (used_isa()).
AttentionTiles f32_attention_tiles(DType rows);
// Products of BF16 rows, sums and softmax in F32. Only where used_isa() is avx512_bf16 or better.
AttentionTiles bf16_attention_tiles();

}  // namespace snug
