// What prompts became, for prompts that come again: the text encoder is then skipped (encode_text.h).
#pragma once

#include "cache/byte_lru.h"
#include "pipeline/encode_text.h"

namespace snug {

class ConditioningCache final : public ConditioningStore {
 public:
  explicit ConditioningCache(const LruLimits& limits) : lru_(limits) {}

  std::shared_ptr<const EncodedPrompt> find(const std::string& key) override { return lru_.find(key); }
  void keep(const std::string& key, std::shared_ptr<const EncodedPrompt> prompt) override {
    const auto bytes = static_cast<int64_t>(prompt->bytes() + key.size());
    lru_.keep(key, std::move(prompt), bytes);
  }

  ByteLru<EncodedPrompt>& entries() { return lru_; }

 private:
  ByteLru<EncodedPrompt> lru_;
};

}  // namespace snug
