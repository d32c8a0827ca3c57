#include "base/process_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

#include <malloc.h>

#include "base/error.h"

namespace snug {
namespace {

// Of the kernel's text: "VmRSS:\t  1234 kB". 0 without such a line.
uint64_t line_bytes(const char* text, const char* key) {
  const char* const line = std::strstr(text, key);
  unsigned long long kib = 0;
  if (line == nullptr || std::sscanf(line + std::strlen(key), ": %llu kB", &kib) != 1) return 0;
  return uint64_t{kib} * 1024;
}

}  // namespace

// Without a stream, which takes memory: this is asked when there is none, too.
ProcessMemory process_memory() {
  std::array<char, 8192> text = {};
  const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  for (ssize_t got = 1; file >= 0 && got > 0 && length + 1 < text.size();) {
    got = ::read(file, text.data() + length, text.size() - 1 - length);
    if (got > 0) length += static_cast<size_t>(got);
  }
  if (file >= 0) ::close(file);
  if (length == 0) throw Error(ErrorCode::kIoError, "cannot read /proc/self/status", "mount /proc");
  return {.resident_bytes = line_bytes(text.data(), "\nVmRSS"),
          .peak_bytes = line_bytes(text.data(), "\nVmHWM"),
          .mapped_bytes = line_bytes(text.data(), "\nVmSize")};
}

void release_freed_memory() { ::malloc_trim(0); }

bool reset_peak_memory() {
  std::FILE* file = std::fopen("/proc/self/clear_refs", "we");
  if (file == nullptr) return false;
  const bool written = std::fputs("5", file) >= 0;
  return std::fclose(file) == 0 && written;
}

}  // namespace snug
