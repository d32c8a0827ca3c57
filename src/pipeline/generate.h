// The whole way of a request, stage by stage. The command line and the server both end here.
#pragma once

#include <functional>

#include "backend/backend.h"
#include "base/cancellation.h"
#include "pipeline/request.h"
#include "pipeline/run_report.h"
#include "plan/rates.h"

namespace snug {

class ComputeTurn;
class ConditioningStore;
class Executor;
class RunTrace;
struct KeptRun;
struct Model;
struct Picture;
struct PlannedRun;
struct RunCheckpoint;
struct TimeChoice;

// Where a run is. `stage` is one of open, plan, load, encode, denoise, decode, write; `done` of `total` calls
// while denoising, or frames of a clip while decoding; 0 of 0 elsewhere and where a stage begins. Called from
// the thread that called generate.
struct Progress {
  std::string_view stage;
  int done = 0, total = 0;
  double step_seconds = 0;  // of the last call
  // By the plan, once there is one: of a call, and of what comes after denoising. 0: nothing is known.
  double predicted_step_seconds = 0, predicted_after_seconds = 0;
};

struct GenerateOptions {
  Rates rates;                                 // of this machine, for choosing and predicting
  const Backend* backend = nullptr;            // null: the CPU
  const Cancellation* cancellation = nullptr;  // null: never cancelled
  bool refine_rates = false;                   // keep what the run tells of this machine (rates_file.h)
  std::function<void(const Progress&)> progress;
  // Receives the report on every exit, also before an error is thrown.
  std::function<void(const RunReport&)> report;
  // What a request with a time became, before anything runs.
  std::function<void(const TimeChoice&)> promise;
  // After a run that succeeded, while its plan and what the executor recorded are there. The report lacks
  // nothing but total_seconds.
  std::function<void(const PlannedRun&, const Executor&, const RunReport&)> executed;
  RunTrace* trace = nullptr;  // where everything that happens is put; null: nowhere

  // What a server adds. `model`: opened already, in place of the one that the fields name. `kept`: what an
  // earlier run left and what this one leaves, with this same cancellation. `conditioning`: what prompts
  // became earlier.
  std::shared_ptr<const Model> model;
  KeptRun* kept = nullptr;
  ConditioningStore* conditioning = nullptr;
  ComputeTurn* turn = nullptr;  // this run's place among those that share the machine; null: it is alone
  // As DenoiseWatch's (denoise.h). Once a clip is denoised `checkpoint_due` is asked behind each part of a
  // frame, too, for what is kept in the folder `decode_checkpoint` (decode_checkpoint.h; empty: nothing);
  // `decode_kept` is told how many there are then, and at first how many there were.
  const RunCheckpoint* resume = nullptr;
  std::function<bool(int done)> checkpoint_due;
  std::function<void(const RunCheckpoint&)> checkpoint;
  std::string decode_checkpoint;
  std::function<void(int64_t frames)> decode_kept;
  // Asked in place of `resume`, when everything about the request is settled and it is planned: where to go
  // on from, owned by who answers; null: from the beginning. May throw.
  std::function<const RunCheckpoint*(const Request&, const Model&)> find_checkpoint;
  std::function<void(const HostTensor& latents, int done)> preview;
  // The latents that became the pictures, before these are encoded.
  std::function<void(const HostTensor& latents, const HostTensor& images)> decoded;
  // Of a clip, each frame in order from 0, before it is encoded.
  std::function<void(const Picture& frame, int64_t number)> frame;
};

struct GenerateResult {
  RunReport report;
  std::vector<std::vector<std::byte>> pictures;  // encoded, when the request names no output path
};

// Throws Error, with the stage in it. Nothing half-written is left.
GenerateResult generate(const RequestFields& fields, const GenerateOptions& options);

}  // namespace snug
