#include "tests/plan/fail_allocations.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <new>
#include <string_view>

#include <dlfcn.h>

#include "tests/linker_code.h"

namespace snug::testing {
namespace {

std::atomic<bool> armed, all_after;
std::atomic<int64_t> seen, refused_at;

// nlohmann::json takes memory while it is destroyed; refused, it ends the process.
bool in_json_destructor(const void* caller) {
  Dl_info info = {};
  if (::dladdr(caller, &info) == 0 || info.dli_sname == nullptr) return false;
  const std::string_view name = info.dli_sname;
  const auto names = [name](std::string_view part) { return name.find(part) != std::string_view::npos; };
  return names("basic_json") && (names("destroy") || names("D1Ev") || names("D2Ev"));
}

}  // namespace

bool refuse(const void* caller) {
  if (!armed || LinkerCode::contains(caller)) return false;
  const int64_t number = ++seen;
  const int64_t at = refused_at;
  const bool refused = at > 0 && (number == at || (all_after && number > at)) && !in_json_destructor(caller);
  if (refused) errno = ENOMEM;
  return refused;
}

void count_and_fail(int64_t fail_at, bool and_all_after) {
  LinkerCode::find();
  seen = 0;
  refused_at = fail_at;
  all_after = and_all_after;
  armed = true;
}

int64_t stop_failing() {
  armed = false;
  return seen;
}

}  // namespace snug::testing

extern "C" void* __libc_malloc(size_t bytes);  // NOLINT(readability-identifier-naming): glibc's name

// Callers of `operator new` are who asks, not the C++ library.
void* operator new(size_t bytes) {
  void* const memory =
      snug::testing::refuse(__builtin_return_address(0)) ? nullptr : __libc_malloc(bytes > 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

// The functions as the C library declares them, over glibc's own names for what stands behind them.
extern "C" {
// NOLINTBEGIN(readability-identifier-naming): glibc's names
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
// NOLINTEND(readability-identifier-naming)

#define SNUG_REFUSED snug::testing::refuse(__builtin_return_address(0))
void* malloc(size_t bytes) noexcept { return SNUG_REFUSED ? nullptr : __libc_malloc(bytes); }
void* calloc(size_t count, size_t bytes) noexcept {
  return SNUG_REFUSED ? nullptr : __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) noexcept {
  return SNUG_REFUSED ? nullptr : __libc_realloc(memory, bytes);
}
void* memalign(size_t alignment, size_t bytes) noexcept {
  return SNUG_REFUSED ? nullptr : __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept {
  return SNUG_REFUSED ? nullptr : __libc_memalign(alignment, bytes);
}
int posix_memalign(void** out, size_t alignment, size_t bytes) noexcept {
  if (SNUG_REFUSED) return ENOMEM;
  *out = __libc_memalign(alignment, bytes);
  return *out == nullptr ? ENOMEM : 0;
}
#undef SNUG_REFUSED
}
