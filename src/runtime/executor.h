// Runs a plan's phases in its arena. Trusts the plan: nothing is checked or allocated here while kernels run.
//
// Use, for each phase in order: begin(phase) once; then for each run, call by call and in each call pass by
// pass: set_input for its inputs, run(phase, call, pass), read_output. What an earlier phase left for the
// host is read before the next one begins. Pictures cross this border in logical order (N C H W) and are
// stored channels-last inside.
//
// Weights come by the streamer's thread (weight_streamer.h), which begins reading in begin() and ends with
// the phase's last run. A begin or run that throws ends it too: then the phase, or another, begins anew.
//
// The plan may be executed again and again. Weights that stay in the arena from one time to the next
// (plan/keep_weights.h) are read the first time only.
//
// A streamed phase that runs once may be left between two of its parts and gone on with by another executor,
// of this plan or of one with the same state_fingerprint (plan/carried_state.h): save_state() hands out what
// that one takes in with load_state() before it begins the phase there.
//
// One thread at a time. The plan, the kernels and the cancellation must outlive the executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancellation.h"
#include "plan/plan.h"
#include "runtime/arena.h"
#include "runtime/compute_turns.h"
#include "runtime/kernel_set.h"
#include "runtime/run_trace.h"
#include "runtime/scratch_file.h"
#include "runtime/weight_streamer.h"
#include "weights/weight_index.h"

namespace snug {

// What happened in one phase since it began.
struct PhaseRecord {
  std::vector<double> run_seconds;     // one entry a run; waiting included, but for other runs
  std::vector<double> stall_seconds;   // of each run: waited for weights
  std::vector<double> kernel_seconds;  // by instruction, summed over runs, without waiting
  // Once the phase is over, or was left: by load, summed over runs, and the sums over loads. The streamer's
  // time, most of it beside the kernels'.
  std::vector<LoadRecord> loads;
  double read_seconds = 0;
  uint64_t read_bytes = 0;
};

// A part of a streamed output (Graph::is_streamed), as it was made: pixels that follow the last part's, with
// all of their channels, channels innermost.
struct OutputPart {
  Interval pixels;
  std::span<const float> values;
};
using TakePart = std::function<void(const OutputPart&)>;

class Executor {
 public:
  using Weights = std::map<std::string, std::shared_ptr<const WeightIndex>>;  // by part name
  // Takes the arena and, where the plan spills, a scratch file in that folder. Throws out_of_memory,
  // disk_full, io_error.
  Executor(const Plan& plan, const KernelSet& kernels, Weights weights, const Cancellation& cancellation,
           const std::string& scratch_folder = default_scratch_folder());
  ~Executor();

  // From here on everything that happens is put there too; null: nothing more. Between phases.
  void set_trace(RunTrace* trace) { trace_ = trace; }
  // Where other runs share the machine: this one's place among them, until the next call; null: it is alone.
  void set_turn(ComputeTurn* turn) { turn_ = turn; }

  // Starts reading the phase's weights; does not wait for them. `first_instruction`: where its first run
  // begins, with the state of what comes before it loaded. Throws out_of_memory.
  void begin(const Phase& phase, size_t first_instruction = 0);

  // F32 inputs in logical order; I32 for token ids. SNUG_CHECK on name, element type and size.
  void set_input(const Phase& phase, std::string_view name, std::span<const float> values, int call = 0,
                 int pass = 0);
  void set_input(const Phase& phase, std::string_view name, std::span<const int32_t> values, int call = 0,
                 int pass = 0);
  // The next run of the phase that has begun. Throws what reading weights threw (naming file and tensor) or
  // the scratch file did, and cancelled, between kernels.
  void run(const Phase& phase, int call = 0, int pass = 0);
  // The same of a phase whose output is streamed: `take` is called between kernels, on this thread, and may
  // throw. The values are gone when it returns. F32 outputs.
  void run_streamed(const Phase& phase, const TakePart& take, int call = 0, int pass = 0);
  // While `take` runs: the instructions that are done, the one that made its part among them; and what those
  // behind them need, handed to `write` piece by piece from where it lies. Throws what `write` does,
  // io_error.
  size_t instructions_done() const { return next_instruction_; }
  void save_state(const Phase& phase, const std::function<void(std::span<const std::byte>)>& write) const;
  // Between phases: takes as many bytes as save_state handed out there, in their order, of which `read` fills
  // as many as it is asked for. Throws what `read` does, io_error, disk_full.
  void load_state(const Phase& phase, size_t first_instruction,
                  const std::function<void(std::span<std::byte>)>& read);
  // F32 outputs in logical order.
  void read_output(const Phase& phase, std::string_view name, std::span<float> values, int call = 0,
                   int pass = 0);

  const PhaseRecord& record(const Phase& phase) const;
  const Arena& arena() const { return arena_; }

 private:
  // Of one run: for strides.
  struct RunIndex {
    int call = 0, pass = 0;
  };
  void run_instructions(const Phase& phase, RunIndex index, PhaseRecord& record);
  void execute(const RunKernel& run, RunIndex index);
  void hand_over(const Phase& phase, const RunKernel& run, RunIndex index);
  void execute(const Move& move, RunIndex index);
  void execute(const Spill& spill, RunIndex index);
  void execute(const Restore& restore, RunIndex index);
  bool reads_weights(const Phase& phase) const;
  void note_kept(const Phase& phase);
  void leave_phase();
  double wait_for_weights(const RunKernel& kernel);
  std::byte* address(const Location& location, RunIndex index);

  const Plan& plan_;
  const KernelSet& kernels_;
  Weights weights_;
  const Cancellation& cancellation_;
  Arena arena_;
  ScratchFile scratch_file_;
  std::vector<PhaseRecord> records_;   // in the plan's order
  std::vector<bool> kept_;             // by phase: resident weights that stay have been read
  std::vector<OperandView> operands_;  // of the kernel that runs; sized once
  const TakePart* take_ = nullptr;     // of a streamed output
  const Phase* phase_ = nullptr;       // that has begun
  int run_ = 0;                        // of it, the next
  size_t next_instruction_ = 0;        // of the run under way, or that begins
  RunTrace* trace_ = nullptr;
  ComputeTurn* turn_ = nullptr;
  // Last, so that its thread ends before what it writes to goes.
  std::optional<WeightStreamer> streamer_;
};

}  // namespace snug
