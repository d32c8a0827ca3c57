// One run of the engine: jobs that are running for the store become pictures, or end otherwise. Progress and
// checkpoints are told and kept on the way. Called by the engine's lanes.
//
// Whatever fails here ends in the jobs' states; errors of the store are waited out.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/stopwatch.h"
#include "jobs/engine_parts.h"
#include "jobs/patience.h"
#include "jobs/run_figures.h"
#include "jobs/scheduler.h"
#include "pipeline/checkpoint_pace.h"
#include "pipeline/generate.h"
#include "pipeline/run_checkpoint.h"
#include "runtime/compute_turns.h"

namespace snug {

class JobRun {
 public:
  // Called once, from run(), when what is kept may be used by the next; with what planning and loading took.
  using Generated = std::function<void(const ReadyRun& run, double remake_seconds)>;
  JobRun(const EngineParts& parts, ReadyRun ready, ComputeTurns& turns, StopSignal& stop,
         Generated generated);

  const ReadyRun& ready() const { return ready_; }

  // Until all jobs have ended, or are queued again because of the stop.
  void run();
  // From any thread. Ends the job at once for everybody who asks; the run goes on if others share it, else it
  // stops between two kernels. False when it is not here.
  bool cancel(const std::string& id);
  // From any thread: stops between two kernels.
  void cut_off();

 private:
  GenerateOptions options(const std::optional<RunCheckpoint>& resume);
  std::optional<RunCheckpoint> checkpoint_of(const Job& job);
  void tell(const Progress& progress);
  bool is_told(const Progress& progress);
  void preview(const HostTensor& latents);
  bool checkpoint_due();
  void keep(const RunCheckpoint& checkpoint);
  void decode_kept();
  void drop_decodings();
  void settle(GenerateResult& result, double seconds);
  void settle(const Error& error, double seconds);
  void cache(const BatchJob& job, const std::vector<JobPicture>& pictures);
  void make_poster(const Picture& frame);
  JobPicture stored_picture(const BatchJob& job, size_t index, const std::vector<std::byte>& bytes);
  void end(const BatchJob& job, const std::optional<Job>& ended);
  RunRecord figures(const BatchJob& job) const;
  std::vector<BatchJob> jobs_that_stay();

  const EngineParts parts_;
  ReadyRun ready_;
  const int64_t pictures_;  // of all jobs
  StopSignal& stop_;
  const Generated generated_;
  ComputeTurn turn_;
  int64_t observed_ = 0;  // the observer's number of this run
  // How the run ended; nothing as long as it goes on, or where it never began.
  std::optional<RunReport> report_;
  std::optional<MachineUse> use_;
  double learning_seconds_ = 0;    // inside the run, in none of its stages
  Stopwatch since_frame_;          // was told
  std::vector<std::byte> poster_;  // of a clip; empty: not yet, or it could not be made
  CheckpointPace pace_;
  std::optional<Stopwatch> since_due_;  // of a checkpoint that is being taken
  std::mutex mutex_;        // of ready_.batch, whose `left` flags change while it runs, and of the next
  bool generating_ = true;  // what is kept is this run's
};

}  // namespace snug
