#include "runtime/arena.h"

#include <sys/mman.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"

namespace snug {

Arena::Arena(uint64_t bytes) : bytes_(bytes) {
  void* memory = ::mmap(nullptr, std::max<uint64_t>(bytes, 1), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw Error(ErrorCode::kOutOfMemory, fmt::format("the system refused {} of memory", format_bytes(bytes)),
                "close other programs, raise the limit (ulimit -v, cgroup), or ask for a smaller picture");
  }
  base_ = static_cast<std::byte*>(memory);
#ifdef MADV_HUGEPAGE
  // Fewer page-table walks in the large products; the kernel may decline, which costs nothing.
  constexpr uint64_t kWorthIt = 64 * kMiB;
  if (bytes >= kWorthIt) ::madvise(memory, bytes, MADV_HUGEPAGE);
#endif
}

Arena::~Arena() { ::munmap(base_, std::max<uint64_t>(bytes_, 1)); }

}  // namespace snug
