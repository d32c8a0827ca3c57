#include "base/process_memory.h"

#include <cstdio>
#include <cstring>

#include <malloc.h>

#include "base/error.h"

namespace snug {

ProcessMemory process_memory() {
  std::FILE* file = std::fopen("/proc/self/status", "re");
  if (file == nullptr) {
    throw Error(ErrorCode::kIoError, "cannot read /proc/self/status", "mount /proc");
  }
  ProcessMemory memory;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    unsigned long long kib = 0;
    if (std::sscanf(line, "VmRSS: %llu kB", &kib) == 1) memory.resident_bytes = kib * 1024;
    if (std::sscanf(line, "VmSize: %llu kB", &kib) == 1) memory.mapped_bytes = kib * 1024;
    if (std::sscanf(line, "VmHWM: %llu kB", &kib) == 1) memory.peak_bytes = kib * 1024;
  }
  std::fclose(file);
  return memory;
}

void release_freed_memory() { ::malloc_trim(0); }

bool reset_peak_memory() {
  std::FILE* file = std::fopen("/proc/self/clear_refs", "we");
  if (file == nullptr) return false;
  const bool written = std::fputs("5", file) >= 0;
  return std::fclose(file) == 0 && written;
}

}  // namespace snug
