// Puts the process's number of threads back when it goes: for what tries configurations, which have numbers
// of their own (service_trial.h).
#pragma once

#include "base/parallel.h"

namespace snug {

class ThreadsAsTheyWere {
 public:
  ThreadsAsTheyWere() = default;
  ~ThreadsAsTheyWere() { set_thread_count(threads_); }
  ThreadsAsTheyWere(const ThreadsAsTheyWere&) = delete;
  ThreadsAsTheyWere& operator=(const ThreadsAsTheyWere&) = delete;

 private:
  const int threads_ = thread_count();
};

}  // namespace snug
