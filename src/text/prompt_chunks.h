// Token ids and weights of one prompt in chunks of the text encoder's length L (77). Called by
// pipeline/encode_text.cc: the encoder runs on each chunk by itself, apply_emphasis weighs its output, and
// the chunks' outputs stand one after another in the conditioning, (chunks · L, C).
//
// A chunk is: beginning token, up to L - 2 tokens of the prompt, end token, padding. A prompt that fits makes
// one chunk, with the ids that transformers gives with padding="max_length". A longer one is cut as
// AUTOMATIC1111's web UI cuts it: after L - 2 tokens, or after a comma if there is one among the last 20 of
// them; or it is truncated to the first L - 2, as diffusers does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "text/clip_tokenizer.h"
#include "text/prompt_syntax.h"

namespace snug {

enum class LongPrompt {
  kChunk,     // further chunks; nothing is lost
  kTruncate,  // one chunk, breaks ignored; `dropped_tokens` counts what is lost
};

struct PromptChunks {
  // ids[c] and weights[c] have L entries; there is at least one chunk. Beginning, end and padding weigh 1.
  std::vector<std::vector<int32_t>> ids;
  std::vector<std::vector<float>> weights;
  int64_t token_count = 0;  // of the prompt, those in chunks
  int64_t dropped_tokens = 0;

  bool operator==(const PromptChunks&) const = default;
};

// Throws nothing of its own: parse_prompt has checked the text.
PromptChunks make_prompt_chunks(const ClipTokenizer& tokenizer, const ParsedPrompt& prompt,
                                LongPrompt long_prompt);

// Appends chunks of an empty prompt until there are `count`: so the prompts of one batch, and what several
// text encoders take of one, have one shape.
void extend_chunks(const ClipTokenizer& tokenizer, size_t count, PromptChunks* chunks);

// Weighs one chunk's text states in place: each row times its weight, then everything times what brings the
// mean back to where it was (the web UI's "original" emphasis). Nothing is touched, to the bit, when every
// weight is 1; the mean is left alone when the weighted one is 0 or the ratio is not finite. `states` is (L,
// C), row by row; `weights` is (L), not empty.
void apply_emphasis(std::span<float> states, std::span<const float> weights);

}  // namespace snug
