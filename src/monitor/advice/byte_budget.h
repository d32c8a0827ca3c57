// The contents of a cache with a limit in bytes, least recently used out first, without the contents: for the
// replay of caches (cache/byte_lru.h, jobs/cache_store.h) that only has to know what would be there. Not safe
// from several threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <string>
#include <utility>

namespace snug {

class ByteBudget {
 public:
  explicit ByteBudget(int64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  bool find(const std::string& key) {
    const auto found = at(key);
    if (found == entries_.end()) return false;
    entries_.splice(entries_.begin(), entries_, found);
    return true;
  }

  // An entry larger than the limit is not kept.
  void keep(const std::string& key, int64_t bytes) {
    if (const auto old = at(key); old != entries_.end()) {
      bytes_ -= old->second;
      entries_.erase(old);
    }
    if (bytes > limit_bytes_) return;
    entries_.emplace_front(key, bytes);
    bytes_ += bytes;
    while (bytes_ > limit_bytes_) {
      bytes_ -= entries_.back().second;
      entries_.pop_back();
    }
  }

  int64_t bytes() const { return bytes_; }

 private:
  using Entry = std::pair<std::string, int64_t>;
  std::list<Entry>::iterator at(const std::string& key) {
    return std::find_if(entries_.begin(), entries_.end(), [&](const Entry& one) { return one.first == key; });
  }

  int64_t limit_bytes_, bytes_ = 0;
  std::list<Entry> entries_;
};

}  // namespace snug
