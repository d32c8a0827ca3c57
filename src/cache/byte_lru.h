// A cache in memory with a limit in bytes and a time to live: the least recently used goes first. Values are
// shared, so that one that is evicted stays with who has it.
//
// Threads: all methods may be called from any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace snug {

struct LruLimits {
  int64_t bytes = 0;
  std::optional<double> ttl_seconds;  // since it was kept
};

struct LruFigures {
  int64_t entries = 0, bytes = 0;
  int64_t hits = 0, misses = 0, evictions = 0;  // since the cache was made
};

template <typename Value>
class ByteLru {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ByteLru(const LruLimits& limits, std::function<Clock::time_point()> now = Clock::now)
      : limits_(limits), now_(std::move(now)) {}

  // Null when it is not there, or too old.
  std::shared_ptr<const Value> find(const std::string& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = places_.find(key);
    if (found != places_.end() && is_old(*found->second)) {
      ++figures_.evictions;
      drop(found->second);
    } else if (found != places_.end()) {
      ++figures_.hits;
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->value;
    }
    ++figures_.misses;
    return nullptr;
  }

  // In place of what is there. A value larger than the limit is not kept.
  void keep(const std::string& key, std::shared_ptr<const Value> value, int64_t bytes) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = places_.find(key); found != places_.end()) drop(found->second);
    if (bytes > limits_.bytes) return;
    entries_.push_front({key, std::move(value), bytes, now_()});
    places_[key] = entries_.begin();
    ++figures_.entries;
    figures_.bytes += bytes;
    while (figures_.bytes > limits_.bytes) {
      ++figures_.evictions;
      drop(std::prev(entries_.end()));
    }
  }

  void clear() {
    const std::scoped_lock lock(mutex_);
    entries_.clear();
    places_.clear();
    figures_.entries = figures_.bytes = 0;
  }

  LruFigures figures() const {
    const std::scoped_lock lock(mutex_);
    return figures_;
  }
  const LruLimits& limits() const { return limits_; }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Value> value;
    int64_t bytes = 0;
    Clock::time_point kept;
  };
  using Place = typename std::list<Entry>::iterator;

  bool is_old(const Entry& entry) const {
    return limits_.ttl_seconds.has_value() &&
           std::chrono::duration<double>(now_() - entry.kept).count() > *limits_.ttl_seconds;
  }
  void drop(Place entry) {
    --figures_.entries;
    figures_.bytes -= entry->bytes;
    places_.erase(entry->key);
    entries_.erase(entry);
  }

  const LruLimits limits_;
  const std::function<Clock::time_point()> now_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<std::string, Place> places_;
  LruFigures figures_;
};

}  // namespace snug
