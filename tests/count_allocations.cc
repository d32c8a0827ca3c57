#include "tests/count_allocations.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include <malloc.h>

#include "tests/linker_code.h"

namespace snug::testing {
namespace {

std::atomic<int64_t> own, own_bytes, own_frees;
std::atomic<bool> abort_at_own;

}  // namespace

AllocationCounts allocation_counts() {
  LinkerCode::find();
  return {own, own_bytes, own_frees};
}

void abort_at_own_allocation(bool on) { abort_at_own = on; }

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace {

void* counted(void* memory, const void* caller) {
  if (memory == nullptr) return memory;
  if (LinkerCode::contains(caller)) return memory;
  if (abort_at_own) std::abort();
  own += 1;
  own_bytes += static_cast<int64_t>(::malloc_usable_size(memory));
  return memory;
}

void count_free(void* memory, const void* caller) {
  if (memory != nullptr && !LinkerCode::contains(caller)) own_frees += 1;
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
