// Which disk a folder lies on, as /proc/diskstats names it, and what has been read and written there. Used by
// counter_reader.cc.
//
// A partition is a row of its own there. File systems that have no device number of their own (btrfs) are
// found by their mount's source; overlays, memory and network file systems have no row, and problem() says
// so.
//
// Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "monitor/samples/kernel_file.h"

namespace snug {

class DataDisk {
 public:
  // `root` is prepended to the system's paths, not to `folder`; for tests.
  DataDisk(const std::string& root, const std::string& folder);

  struct Counts {
    double read_bytes = 0, written_bytes = 0, busy_seconds = 0;  // since the machine started
  };
  std::optional<Counts> read(std::vector<char>& buffer);
  const std::string& problem() const { return problem_; }

 private:
  KernelFile statistics_;
  unsigned major_ = 0, minor_ = 0;  // 0 and 0: by name
  std::string name_;
  std::string problem_;
};

}  // namespace snug
