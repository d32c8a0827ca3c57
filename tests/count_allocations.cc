#include "tests/count_allocations.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <link.h>
#include <malloc.h>

namespace snug::testing {
namespace {

std::atomic<int64_t> own, own_bytes, own_frees;
std::atomic<bool> abort_at_own;

// Code of the dynamic linker.
struct Range {
  uintptr_t begin = 0, end = 0;
};
std::array<Range, 16> ranges;
std::atomic<size_t> range_count;

int note_ranges(dl_phdr_info* info, size_t, void*) {
  if (std::strstr(info->dlpi_name, "/ld-") == nullptr) return 0;
  for (size_t i = 0; i < info->dlpi_phnum && range_count < ranges.size(); ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
    ranges[range_count] = {begin, begin + segment.p_memsz};
    ++range_count;
  }
  return 0;
}

}  // namespace

AllocationCounts allocation_counts() {
  static const int noted = dl_iterate_phdr(note_ranges, nullptr);
  static_cast<void>(noted);
  return {own, own_bytes, own_frees};
}

void abort_at_own_allocation(bool on) { abort_at_own = on; }

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

bool in_linker(const void* caller) {
  const auto address = reinterpret_cast<uintptr_t>(caller);
  for (size_t i = 0; i < range_count; ++i) {
    if (address >= ranges[i].begin && address < ranges[i].end) return true;
  }
  return false;
}

void* counted(void* memory, const void* caller) {
  if (memory == nullptr) return memory;
  if (in_linker(caller)) return memory;
  if (abort_at_own) std::abort();
  own += 1;
  own_bytes += static_cast<int64_t>(::malloc_usable_size(memory));
  return memory;
}

void count_free(void* memory, const void* caller) {
  if (memory != nullptr && !in_linker(caller)) own_frees += 1;
}

}  // namespace
#endif

}  // namespace snug::testing

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// The functions as the C library declares them, over glibc's own names for what stands behind them.
extern "C" {
// NOLINTBEGIN(readability-identifier-naming): glibc's names
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void* memory);
// NOLINTEND(readability-identifier-naming)

#define SNUG_CALLER __builtin_return_address(0)
void* malloc(size_t bytes) noexcept { return snug::testing::counted(__libc_malloc(bytes), SNUG_CALLER); }
void* calloc(size_t count, size_t bytes) noexcept {
  return snug::testing::counted(__libc_calloc(count, bytes), SNUG_CALLER);
}
void* realloc(void* memory, size_t bytes) noexcept {
  snug::testing::count_free(memory, SNUG_CALLER);
  return snug::testing::counted(__libc_realloc(memory, bytes), SNUG_CALLER);
}
void free(void* memory) noexcept {
  snug::testing::count_free(memory, SNUG_CALLER);
  __libc_free(memory);
}
void* memalign(size_t alignment, size_t bytes) noexcept {
  return snug::testing::counted(__libc_memalign(alignment, bytes), SNUG_CALLER);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  return snug::testing::counted(__libc_memalign(alignment, bytes), SNUG_CALLER);
}
int posix_memalign(void** out, size_t alignment, size_t bytes) noexcept {
  void* const memory = snug::testing::counted(__libc_memalign(alignment, bytes), SNUG_CALLER);
  if (memory == nullptr) return ENOMEM;
  *out = memory;
  return 0;
}
#undef SNUG_CALLER
}
#endif
