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
  std::vector<size_t> placed;
  std::vector<Span> taken;
  uint64_t arena_bytes = 0;
  for (const size_t index : order) {
    Buffer& buffer = buffers[index];
    taken.clear();
    for (const size_t other : placed) {
      const Buffer& b = buffers[other];
      if (b.first_use <= buffer.last_use && buffer.first_use <= b.last_use) {
        taken.push_back({b.offset, b.offset + aligned(b.bytes)});
      }
    }
    buffer.offset = lowest_gap(taken, aligned(buffer.bytes));
    arena_bytes = std::max(arena_bytes, buffer.offset + buffer.bytes);
    placed.push_back(index);
  }
  return arena_bytes;
}

}  // namespace snug
