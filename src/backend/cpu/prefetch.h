// Asking memory for what will be needed soon.
#pragma once

#include <cstdint>

namespace snug {

// The cache line so many bytes from `base` on: into the first-level cache where kLevel is 1, else into the
// second. The address may be a guess that lies outside of any buffer: a prefetch may be wrong, while a
// pointer that leaves its buffer would be undefined. Hence the integers.
template <int kLevel = 1>
[[gnu::always_inline]] inline void prefetch_line(const void* base, int64_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(base) + static_cast<uintptr_t>(bytes);
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  __builtin_prefetch(reinterpret_cast<const void*>(address), 0, kLevel == 1 ? 3 : 2);
}

// All lines of so many bytes, from `ahead` behind `base` on.
template <int kLevel = 1>
[[gnu::always_inline]] inline void prefetch_lines(const void* base, int64_t ahead, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += 64) prefetch_line<kLevel>(base, ahead + at);
}

}  // namespace snug
