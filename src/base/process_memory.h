// What the operating system says of this process's memory (Linux: /proc/self/status).
#pragma once

#include <cstdint>

namespace snug {

struct ProcessMemory {
  uint64_t resident_bytes = 0;  // VmRSS
  uint64_t peak_bytes = 0;      // VmHWM
};

// Throws io_error where the system does not tell.
ProcessMemory process_memory();
// Starts a new high-water mark at the present resident size; false where the system does not allow it.
bool reset_peak_memory();

}  // namespace snug
