// Brings the weights of one phase into the arena, on a thread of its own, while the executor runs the phase's
// instructions; rearranges them, piece by piece as they come, as their kernels want them
// (Kernel::pack_weight). Made by the executor for each execution of a phase; plan.h says what the two wait
// for.
//
// The loads are done in order, run after run: all of them in the first run, in later runs those that are
// streamed. Before a load the thread waits until enough instructions are done that nobody reads what it
// overwrites. It ends after the phase's last run, at an error, at a cancellation, or when it is stopped.
//
// Threads: one owner, who calls everything here. The thread allocates nothing but for an error: the factors
// of LoRAs, which are added to the rows as they come, have their room from the start
// (WeightIndex::update_room_bytes).
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <vector>

#include "base/cancellation.h"
#include "plan/plan.h"
#include "runtime/kernel_set.h"
#include "runtime/run_trace.h"
#include "weights/weight_index.h"

namespace snug {

// Of one load, summed over runs.
struct LoadRecord {
  uint64_t bytes = 0;  // as stored in the file
  double seconds = 0;  // reading, converting and rearranging
};

class WeightStreamer {
 public:
  // Of the thread, which counts to the address space of the process. Converting needs 64 KiB of it.
  static constexpr size_t kStackBytes = size_t{256} << 10;

  // Who rearranges: the kernels by their numbers in the plan, and the phase's room for it.
  struct Packing {
    const KernelSet* kernels = nullptr;
    std::byte* room = nullptr;
  };

  // Starts at once. targets[i] is where phase.loads[i] goes. All but `targets` must outlive the streamer.
  // `trace`: where loads are noted, or null. `resident_there`: of an earlier execution; then only what is
  // streamed is read. `first_instruction`: the phase's first run begins there, and what no instruction behind
  // it reads is not loaded. Throws out_of_memory when the system refuses a thread.
  WeightStreamer(const Phase& phase, const WeightIndex& weights, std::vector<std::byte*> targets,
                 const Packing& packing, const Cancellation& cancellation, RunTrace* trace = nullptr,
                 bool resident_there = false, size_t first_instruction = 0);
  ~WeightStreamer();
  WeightStreamer(const WeightStreamer&) = delete;
  WeightStreamer& operator=(const WeightStreamer&) = delete;

  // Blocks until the first `loads` loads of that run (from 0) are there; returns for how many seconds. Throws
  // what reading threw (naming file and tensor) or cancelled; the thread has ended then.
  double wait_for(int run, int loads);
  // Whether wait_for would return at once.
  bool has(int run, int loads);
  // Called after each instruction, so that what it was the last to read may be overwritten.
  void instruction_done();
  // Ends the thread, after the piece that it is reading. May be called again.
  void stop();
  // By load. Only after stop().
  const std::vector<LoadRecord>& records() const { return records_; }

 private:
  void start();
  void stream() noexcept;
  bool wait_until_free(int run, const Load& load);
  bool read(int run, size_t index);
  void pack(const Load& load, std::byte* rows, int64_t count) const;
  bool stopping();
  void publish(int64_t loads_done);

  const Phase& phase_;
  const WeightIndex& weights_;
  const std::vector<std::byte*> targets_;
  const Packing packing_;
  const Cancellation& cancellation_;
  RunTrace* const trace_;
  const bool resident_there_;
  const std::vector<bool> read_in_first_run_;  // by load
  UpdateRoom update_room_;                     // for the factors of LoRAs
  std::vector<LoadRecord> records_;            // the thread's, until it has ended

  pthread_t thread_ = {};
  bool joined_ = false;

  std::mutex mutex_;  // of all below
  // Something changed for the executor, for the streamer.
  std::condition_variable for_executor_, for_streamer_;
  int64_t loads_done_ = 0;         // of all runs, in order; what a run skips counts as done
  int64_t instructions_done_ = 0;  // of all runs
  int64_t awaited_ = 0;            // instructions that the streamer waits for
  bool stop_ = false;
  std::exception_ptr error_;
};

}  // namespace snug
