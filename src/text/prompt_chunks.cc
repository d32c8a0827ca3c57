#include "text/prompt_chunks.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace snug {
namespace {

// The web UI's default "increase coherency by padding from the last comma within n tokens".
constexpr size_t kCommaReach = 20;

// Fills chunks token by token.
class ChunkBuilder {
 public:
  ChunkBuilder(const ClipTokenizer& tokenizer, PromptChunks* out)
      : tokenizer_(tokenizer), capacity_(static_cast<size_t>(tokenizer.max_length() - 2)), out_(out) {}

  void add(int32_t id, float weight) {
    if (id == tokenizer_.comma()) {
      after_comma_ = ids_.size() + 1;
    } else if (ids_.size() == capacity_ && after_comma_ > 0 && capacity_ + 1 - after_comma_ <= kCommaReach) {
      carry_over(after_comma_);
    }
    if (ids_.size() == capacity_) finish_chunk();
    ids_.push_back(id);
    weights_.push_back(weight);
  }

  void finish_chunk() {
    ids_.insert(ids_.begin(), tokenizer_.bos());
    ids_.push_back(tokenizer_.eos());
    ids_.resize(capacity_ + 2, tokenizer_.pad());
    weights_.insert(weights_.begin(), 1.0F);
    weights_.resize(capacity_ + 2, 1.0F);
    out_->ids.push_back(std::exchange(ids_, {}));
    out_->weights.push_back(std::exchange(weights_, {}));
    after_comma_ = 0;
  }

  void finish() {
    if (!ids_.empty() || out_->ids.empty()) finish_chunk();
  }

 private:
  // Ends the chunk after its first `keep` tokens; the others begin the next one.
  void carry_over(size_t keep) {
    const auto offset = static_cast<std::ptrdiff_t>(keep);
    std::vector<int32_t> moved_ids(ids_.begin() + offset, ids_.end());
    std::vector<float> moved_weights(weights_.begin() + offset, weights_.end());
    ids_.resize(keep);
    weights_.resize(keep);
    finish_chunk();
    ids_ = std::move(moved_ids);
    weights_ = std::move(moved_weights);
  }

  const ClipTokenizer& tokenizer_;
  const size_t capacity_;
  PromptChunks* out_;
  std::vector<int32_t> ids_;
  std::vector<float> weights_;
  size_t after_comma_ = 0;  // tokens up to and with the chunk's last comma, 0 without one
};

double mean(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value);
  return sum / static_cast<double>(values.size());
}

}  // namespace

PromptChunks make_prompt_chunks(const ClipTokenizer& tokenizer, const ParsedPrompt& prompt,
                                LongPrompt long_prompt) {
  const bool truncate = long_prompt == LongPrompt::kTruncate;
  PromptChunks chunks;
  ChunkBuilder builder(tokenizer, &chunks);
  for (const PromptSpan& span : prompt) {
    if (span.is_break) {
      if (!truncate) builder.finish_chunk();
      continue;
    }
    for (const int32_t id : tokenizer.encode(span.text)) {
      if (truncate && chunks.token_count == tokenizer.max_length() - 2) {
        ++chunks.dropped_tokens;
        continue;
      }
      builder.add(id, static_cast<float>(span.weight));
      ++chunks.token_count;
    }
  }
  builder.finish();
  return chunks;
}

void extend_chunks(const ClipTokenizer& tokenizer, size_t count, PromptChunks* chunks) {
  while (chunks->ids.size() < count) ChunkBuilder(tokenizer, chunks).finish_chunk();
}

void apply_emphasis(std::span<float> states, std::span<const float> weights) {
  SNUG_CHECK(!weights.empty() && states.size() % weights.size() == 0, "one weight for each row of states");
  if (states.empty() || std::all_of(weights.begin(), weights.end(), [](float w) { return w == 1.0F; }))
    return;
  const double mean_before = mean(states);
  const size_t channels = states.size() / weights.size();
  for (size_t row = 0; row < weights.size(); ++row) {
    for (float& value : states.subspan(row * channels, channels)) value *= weights[row];
  }
  const auto ratio = static_cast<float>(mean_before / mean(states));
  if (!std::isfinite(ratio)) return;
  for (float& value : states) value *= ratio;
}

}  // namespace snug
