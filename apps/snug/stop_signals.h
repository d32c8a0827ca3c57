// Ctrl-C: SIGINT and SIGTERM stop a run within 200 ms, wherever it is.
//
// A signal requests the cancellation, which the run notices between kernels and unwinds with the error
// "cancelled". But one kernel may take longer than that: a run that has not unwound after kGraceMs is ended
// where it stands. Nothing half-written remains, because files get their names when they are whole
// (media/atomic_file.h). A second signal ends the process at once.
#pragma once

#include <functional>
#include <mutex>
#include <thread>

#include "base/cancellation.h"

namespace snug::cli {

class StopSignals {
 public:
  static constexpr int kGraceMs = 80;  // the rest of the 200 ms is for the system to take the memory back

  // Blocks the signals in this thread and those that it starts, so construct it before any work; a thread of
  // its own waits for them. `last_words` is called from that thread before the process is ended by force; it
  // may not throw. Both references must outlive the object.
  StopSignals(Cancellation& cancellation, std::function<void()> last_words);
  // Unblocks the signals.
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The run has ended by itself: from now on a first signal is ignored, so that its result can be told. Does
  // not return when the process is being ended by force already.
  void run_ended();

 private:
  void watch();
  void end_process();

  Cancellation& cancellation_;
  std::function<void()> last_words_;
  std::mutex ending_;  // whoever holds it decides how the process ends
  bool run_ended_ = false;
  int signals_ = -1;  // signalfd
  int closing_ = -1;  // eventfd
  std::thread watcher_;
};

}  // namespace snug::cli
