// What prompts became, for prompts that come again: the text encoder is then skipped (encode_text.h).
#pragma once

#include "cache/byte_lru.h"
#include "pipeline/encode_text.h"
#include "tensor/host_tensor.h"

namespace snug {

class ConditioningCache final : public ConditioningStore {
 public:
  explicit ConditioningCache(const LruLimits& limits) : lru_(limits) {}

  std::shared_ptr<const HostTensor> find(const std::string& key) override { return lru_.find(key); }
  void keep(const std::string& key, std::shared_ptr<const HostTensor> conditioning) override {
    const auto bytes = static_cast<int64_t>(conditioning->bytes().size() + key.size());
    lru_.keep(key, std::move(conditioning), bytes);
  }

  ByteLru<HostTensor>& entries() { return lru_; }

 private:
  ByteLru<HostTensor> lru_;
};

}  // namespace snug
