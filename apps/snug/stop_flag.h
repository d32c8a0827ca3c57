// Ctrl-C for commands that change files and must put them back: SIGINT and SIGTERM request the cancellation
// and nothing more, so that what is under way unwinds by itself (stop_signals.h ends the process instead,
// before a file could be restored). A second signal ends the process at once.
#pragma once

#include "base/cancellation.h"

namespace snug::cli {

// One at a time.
class StopFlag {
 public:
  StopFlag();
  ~StopFlag();  // signals do what they did before
  StopFlag(const StopFlag&) = delete;
  StopFlag& operator=(const StopFlag&) = delete;

  const Cancellation& cancellation() const;
};

}  // namespace snug::cli
