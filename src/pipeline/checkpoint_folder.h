// A run that can be interrupted: a folder in which it is kept on the way, and from which the same request
// goes on. Called by `snug generate --checkpoint`; a service keeps its runs by itself (jobs/job_run.h).
//
// run.safetensors has latents and sampler (run_checkpoint.h) and what the request was (request_facts.h), and
// is replaced whole or not at all; decode_checkpoint.h says what is beside it once a clip is decoded. One
// process at a time: the folder is locked. What cannot be kept is a warning and no failure.
//
// The run's thread but where stated.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/stopwatch.h"
#include "pipeline/checkpoint_pace.h"
#include "pipeline/generate.h"
#include "pipeline/run_checkpoint.h"

namespace snug {

class CheckpointFolder {
 public:
  // Makes the folder when it is not there, and takes its lock. `least_seconds` between two checkpoints, which
  // take 1 % of the time at most. Throws invalid_argument (a folder with other things in it, another process
  // that uses it), io_error, disk_full.
  explicit CheckpointFolder(std::string path, double least_seconds);
  // Leaves the folder where it is, but an empty one.
  ~CheckpointFolder();
  CheckpointFolder(const CheckpointFolder&) = delete;
  CheckpointFolder& operator=(const CheckpointFolder&) = delete;

  // Of the run that is kept there, for who states none.
  std::optional<uint64_t> seed() const;
  // Has the run kept there and gone on with. `options` must not outlive the folder. The run throws
  // invalid_argument when what is there is of another request, naming the first difference, and corrupt_model
  // when it is damaged.
  void attach(GenerateOptions& options);
  // After the run has succeeded: nothing is needed any more. What cannot be removed is a warning.
  void remove();

  // From any thread: what is kept there now, as in "5 steps" or "5 steps and 12 frames"; empty when nothing
  // is.
  std::string kept() const;

 private:
  void check_contents() const;
  void lock();
  const RunCheckpoint* find(const Request& request, const Model& model, std::string_view backend);
  void keep(const RunCheckpoint& checkpoint);
  std::string run_path() const;

  std::string path_;
  int lock_ = -1;  // the folder, open
  CheckpointPace pace_;
  std::map<std::string, std::string> notes_;  // the request's facts
  std::optional<RunCheckpoint> resume_;
  std::optional<Stopwatch> since_due_;  // of a checkpoint that is being taken
  // Of the checkpoint that is there; -1 calls: none.
  std::atomic<int64_t> kept_calls_ = -1, kept_frames_ = 0;
};

}  // namespace snug
