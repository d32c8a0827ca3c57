// Where a plan spills activations: a nameless file of the size that the plan states, gone with the process
// whatever ends it. Used by the executor, on its thread.
//
// What is written passes through the system's page cache. That is not memory of this process: the system
// takes it back when it wants (a cgroup counts it while it is there, and gives it up before it stops
// anybody).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/cancellation.h"

namespace snug {

// $TMPDIR, else /var/tmp: not /tmp, which often is memory.
std::string default_scratch_folder();

class ScratchFile {
 public:
  // Takes all of its space on the disk at once, so that a full disk is known before work begins; none for 0
  // bytes. Throws disk_full, io_error. The program must ignore SIGXFSZ, as it does, to get an error where a
  // limit on file sizes is met.
  ScratchFile(const std::string& folder, uint64_t bytes);
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  uint64_t bytes() const { return bytes_; }
  // [offset, offset + size) lies inside the file (SNUG_CHECK). Throw io_error, disk_full, truncated, and
  // cancelled between pieces.
  void write(uint64_t offset, std::span<const std::byte> from, const Cancellation& cancellation);
  void read(uint64_t offset, std::span<std::byte> to, const Cancellation& cancellation) const;

 private:
  [[noreturn]] void fail(const char* doing, int error) const;

  std::string folder_;
  uint64_t bytes_ = 0;
  int descriptor_ = -1;
};

}  // namespace snug
