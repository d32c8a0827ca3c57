#include "plan/offsets.h"

#include <algorithm>
#include <numeric>

namespace snug {
namespace {

struct Span {
  uint64_t begin, end;
};

// The lowest offset at which `bytes` fit between the taken spans.
uint64_t lowest_gap(std::vector<Span>& taken, uint64_t bytes) {
  std::sort(taken.begin(), taken.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  uint64_t offset = 0;
  for (const Span& span : taken) {
    if (span.begin >= offset && span.begin - offset >= bytes) break;
    offset = std::max(offset, span.end);
  }
  return offset;
}

// Buffers that are placed, by the time that they live: a plan has thousands, and most meet few others. Time
// is cut into buckets in which about as many buffers begin; a buffer is in all those that it lives in, and
// one that lives in many stands apart.
class PlacedBuffers {
 public:
  explicit PlacedBuffers(const std::vector<Buffer>& buffers) : buffers_(buffers) {
    std::vector<int> begins;
    for (const Buffer& buffer : buffers) begins.push_back(buffer.first_use);
    std::sort(begins.begin(), begins.end());
    for (size_t i = kBuffersOfBucket; i < begins.size(); i += kBuffersOfBucket) {
      if (ends_.empty() || begins[i] > ends_.back()) ends_.push_back(begins[i]);
    }
    buckets_.resize(ends_.size() + 1);
    for (const Buffer& buffer : buffers) places_.push_back(buckets_of(buffer));
  }

  void add(size_t index) {
    all_.push_back(index);
    const auto [first, last] = places_[index];
    if (last - first >= kMany) return long_lived_.push_back(index);
    for (size_t at = first; at <= last; ++at) buckets_[at].push_back(index);
  }

  // Calls for each that lives at some time when it does.
  template <typename Take>
  void for_each_beside(size_t own, Take take) const {
    const Buffer& buffer = buffers_[own];
    const auto look = [&](size_t index) {
      const Buffer& other = buffers_[index];
      if (other.first_use <= buffer.last_use && buffer.first_use <= other.last_use) take(other);
    };
    const auto [first, last] = places_[own];
    const bool many = last - first >= kMany;
    for (const size_t index : many ? all_ : long_lived_) look(index);
    if (many) return;
    for (size_t at = first; at <= last; ++at) {
      for (const size_t index : buckets_[at]) {
        if (at == std::max(first, places_[index].first)) look(index);  // in the first bucket that they share
      }
    }
  }

 private:
  static constexpr size_t kBuffersOfBucket = 8;
  static constexpr size_t kMany = 32;

  std::pair<size_t, size_t> buckets_of(const Buffer& buffer) const {
    const auto at = [&](int time) {
      return static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), time) - ends_.begin());
    };
    return {at(buffer.first_use), at(std::max(buffer.first_use, buffer.last_use))};
  }

  const std::vector<Buffer>& buffers_;
  std::vector<int> ends_;                          // of buckets but the last: when the next begins
  std::vector<std::pair<size_t, size_t>> places_;  // by buffer: its first and last bucket
  std::vector<size_t> all_, long_lived_;
  std::vector<std::vector<size_t>> buckets_;
};

}  // namespace

uint64_t place_buffers(std::vector<Buffer>& buffers, uint64_t alignment) {
  const auto aligned = [&](uint64_t bytes) { return (bytes + alignment - 1) & ~(alignment - 1); };
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const Buffer& x = buffers[a];
    const Buffer& y = buffers[b];
    if (x.bytes != y.bytes) return x.bytes > y.bytes;
    const int x_life = x.last_use - x.first_use;
    const int y_life = y.last_use - y.first_use;
    return x_life != y_life ? x_life > y_life : x.first_use < y.first_use;
  });
  PlacedBuffers placed(buffers);
  std::vector<Span> taken;
  uint64_t arena_bytes = 0;
  for (const size_t index : order) {
    Buffer& buffer = buffers[index];
    taken.clear();
    placed.for_each_beside(index, [&](const Buffer& b) {
      taken.push_back({b.offset, b.offset + aligned(b.bytes)});
    });
    buffer.offset = lowest_gap(taken, aligned(buffer.bytes));
    arena_bytes = std::max(arena_bytes, buffer.offset + buffer.bytes);
    placed.add(index);
  }
  return arena_bytes;
}

}  // namespace snug
