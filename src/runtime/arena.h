// The one block of memory of a run: exactly as large as the plan says, taken from the system at once and
// given back at once. Nothing is allocated from it; the plan's offsets are the allocation.
#pragma once

#include <cstddef>
#include <cstdint>

namespace snug {

class Arena {
 public:
  // Throws out_of_memory. Pages become resident when first written.
  explicit Arena(uint64_t bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  std::byte* at(uint64_t offset) { return base_ + offset; }
  const std::byte* at(uint64_t offset) const { return base_ + offset; }
  uint64_t bytes() const { return bytes_; }
  // Notes that [offset, offset + bytes) is used; the largest end is the high-water mark.
  void touch(uint64_t offset, uint64_t bytes) {
    if (offset + bytes > high_water_bytes_) high_water_bytes_ = offset + bytes;
  }
  uint64_t high_water_bytes() const { return high_water_bytes_; }
  uint64_t resident_bytes() const;  // now, by the kernel

 private:
  std::byte* base_ = nullptr;
  uint64_t bytes_ = 0;
  uint64_t high_water_bytes_ = 0;
};

// Of all arenas of this process, by the kernel: what is resident now. May be called from any thread.
uint64_t resident_arena_bytes();

}  // namespace snug
