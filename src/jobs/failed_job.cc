#include "jobs/failed_job.h"

#include <algorithm>
#include <chrono>

#include <nlohmann/json.hpp>

#include "pipeline/fit_request.h"
#include "pipeline/run_report.h"

namespace snug {
namespace {

constexpr double kRetrySeconds = 5;  // until a failed job's next attempt, doubled each time
constexpr int kMostDoublings = 10;

bool worth_a_retry(ErrorCode code) {
  return code == ErrorCode::kIoError || code == ErrorCode::kOutOfMemory || code == ErrorCode::kDiskFull ||
         code == ErrorCode::kStoreError ||
         code == ErrorCode::kOverBudget;  // it fitted when it was accepted: others hold memory now
}

JobFailure failure_of(const Error& error) {
  JobFailure failure;
  failure.code = error.word();
  failure.problem = error.problem();
  failure.fix = error.fix();
  failure.stage = error.stage();
  if (const auto* refusal = dynamic_cast<const OverBudget*>(&error)) {
    failure.ways_out = ways_out_json(refusal->ways).dump();
  }
  return failure;
}

int64_t next_attempt_ms(const Job& job) {
  using std::chrono::milliseconds;
  using std::chrono::system_clock;
  const double wait_seconds = kRetrySeconds * (1 << std::min(job.attempts - 1, kMostDoublings));
  const auto now = std::chrono::duration_cast<milliseconds>(system_clock::now().time_since_epoch());
  return now.count() + static_cast<int64_t>(wait_seconds * 1000);
}

}  // namespace

void end_failed(const EngineParts& parts, StopSignal& stop, const Job& job, const Error& error,
                double seconds, const RunRecord& run) {
  log::warn("job {} failed{}: {}", job.id, error.stage().empty() ? "" : " in stage " + error.stage(),
            error.word());
  const bool again = worth_a_retry(error.code()) && job.state == JobState::kRunning &&
                     job.attempts < parts.options.most_attempts;
  persist(stop, "noting a failure", [&] {
    const auto ended = again ? parts.jobs.retry(job.id, failure_of(error), seconds, next_attempt_ms(job))
                             : parts.jobs.fail(job.id, failure_of(error), seconds, run);
    if (ended) parts.events.publish({*ended, nullptr});
  });
}

}  // namespace snug
