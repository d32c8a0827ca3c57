// Makes the pictures: some lanes, each a thread that takes the next run from the scheduler and runs it.
// Called by local_service.cc.
//
// Runs share the machine by turns (runtime/compute_turns.h): the oldest has all the cores whenever it wants
// them, the next gets on while it loads, encodes its picture or writes. What a run leaves (plan, arena,
// weights) is kept for jobs of its shape, as far as memory goes; a run writes checkpoints, from which a job
// goes on after the process has ended.
//
// Threads: all methods may be called from any.
#pragma once

#include <memory>
#include <string>

#include "jobs/engine_parts.h"

namespace snug {

class Engine {
 public:
  explicit Engine(const EngineParts& parts);
  ~Engine();  // stops
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // A job is queued.
  void wake();
  // Ends the job if a run has it: at once for everybody who asks. False when none has.
  bool cancel(const std::string& id);
  // Takes no more jobs, and puts what runs back into the queue with a checkpoint of where it is.
  void stop();

  // Of the runs that are kept.
  CacheFigures kept_figures() const;
  void drop_kept();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace snug
