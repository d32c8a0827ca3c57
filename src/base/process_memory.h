// What the operating system says of this process's memory (Linux: /proc/self/status).
#pragma once

#include <cstdint>

namespace snug {

struct ProcessMemory {
  uint64_t resident_bytes = 0;  // VmRSS
  uint64_t peak_bytes = 0;      // VmHWM
  uint64_t mapped_bytes = 0;    // VmSize: address space, resident or not
};

// Throws io_error where the system does not tell.
ProcessMemory process_memory();
// Gives memory that was freed back to the system, so that it is not resident any more.
void release_freed_memory();
// Starts a new high-water mark at the present resident size; false where the system does not allow it.
bool reset_peak_memory();

}  // namespace snug
