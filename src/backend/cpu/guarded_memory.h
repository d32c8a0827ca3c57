// Memory behind which nothing can be read or written: it ends where a page without any rights begins. For
// tests of kernels whose instructions the address sanitizer does not see.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "base/check.h"

namespace snug {

class GuardedMemory {
 public:
  // Zeros. data() is aligned to 64 bytes where `bytes` is a multiple of 64.
  explicit GuardedMemory(size_t bytes) : bytes_(bytes) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    whole_ = (bytes + page - 1) / page * page + page;
    void* const pages = mmap(nullptr, whole_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SNUG_CHECK(pages != MAP_FAILED, "memory for a test");
    pages_ = static_cast<std::byte*>(pages);
    end_ = pages_ + whole_ - page;
    SNUG_CHECK(mprotect(end_, page, PROT_NONE) == 0, "a page can be guarded");
  }
  ~GuardedMemory() { munmap(pages_, whole_); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  GuardedMemory(GuardedMemory&&) = delete;
  GuardedMemory& operator=(GuardedMemory&&) = delete;

  std::byte* data() const { return end_ - bytes_; }
  std::byte* end() const { return end_; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data());
  }

 private:
  size_t bytes_, whole_ = 0;
  std::byte* pages_ = nullptr;
  std::byte* end_ = nullptr;
};

}  // namespace snug
