#include "runtime/arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"

namespace snug {
namespace {

// All that there are.
struct Arenas {
  std::mutex mutex;
  std::map<std::byte*, uint64_t> bytes_at;
};

Arenas& arenas() {
  static Arenas all;
  return all;
}

uint64_t resident_of(std::byte* memory, uint64_t bytes) {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  // A piece at a time: a byte a page is much for a large arena.
  constexpr uint64_t kPieceBytes = 256 * kMiB;
  std::vector<unsigned char> pages(std::min(bytes, kPieceBytes) / page + 1);
  uint64_t resident = 0;
  for (uint64_t at = 0; at < bytes; at += kPieceBytes) {
    const uint64_t piece = std::min(kPieceBytes, bytes - at);
    if (::mincore(memory + at, piece, pages.data()) != 0) return bytes;
    const auto end = pages.begin() + static_cast<int64_t>((piece + page - 1) / page);
    resident += page * static_cast<uint64_t>(
                           std::count_if(pages.begin(), end, [](unsigned char flags) { return flags & 1U; }));
  }
  return std::min(resident, bytes);
}

}  // namespace

uint64_t Arena::resident_bytes() const { return resident_of(base_, bytes_); }

uint64_t resident_arena_bytes() {
  Arenas& all = arenas();
  const std::scoped_lock lock(all.mutex);
  uint64_t bytes = 0;
  for (const auto& [memory, size] : all.bytes_at) bytes += resident_of(memory, size);
  return bytes;
}

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
  const std::scoped_lock lock(arenas().mutex);
  arenas().bytes_at[base_] = bytes;
}

Arena::~Arena() {
  // Still held when it goes, so that nobody looks at what is no longer there.
  const std::scoped_lock lock(arenas().mutex);
  arenas().bytes_at.erase(base_);
  ::munmap(base_, std::max<uint64_t>(bytes_, 1));
}

}  // namespace snug
