// The text encoder of UMT5 (Chung et al., 2023): T5's encoder (Raffel et al., 2020) with a table of relative
// positions in every layer. Weight names as in transformers' UMT5EncoderModel.
//
// A graph is built for the exact number of tokens, so there is no padding and no mask: its rows are what
// transformers computes for the rows below a padded text's length. Wan takes zeros for the rows after it,
// which is the caller's matter.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/builder.h"
#include "models/umt5/config.h"

namespace snug {

// input_ids I32 [1,L] and relative_buckets I32 [1,2L-1] → conditioning [1,L,channels], after the final norm.
// Ids must lie within the vocabulary (checked where they are made). Throws missing_tensor, shape_mismatch.
void build_umt5(GraphBuilder& b, const Umt5Config& config, const WeightScope& w, int64_t tokens);

// The same with token_rows F32 [1,L,channels] in place of input_ids: the tokens' rows of the table that
// umt5_embedding_scope names, read by the caller (WeightIndex::read_rows_f32). Of UMT5-XXL that table is 2.1
// GB in BF16, a fifth of all weights, and a text needs 512 of its 256 384 rows at most; a graph that has it
// as a weight holds all of it.
void build_umt5_from_rows(GraphBuilder& b, const Umt5Config& config, const WeightScope& w, int64_t tokens);

// What relative_buckets takes for that many tokens: the bucket of key minus query, from 1 - L to L - 1.
// Distances below a quarter of the buckets have one each, larger ones share them by their logarithm, in
// float32 as PyTorch computes it; keys ahead of their query have buckets of their own.
std::vector<int32_t> umt5_relative_buckets(const Umt5Config& config, int64_t tokens);

// Where the token table is: files call it "shared", "encoder.embed_tokens", or both.
WeightScope umt5_embedding_scope(const WeightScope& w);

}  // namespace snug
