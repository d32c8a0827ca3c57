// Jobs that run together: which may, and what they become as one request. Called by the engine.
#pragma once

#include <memory>
#include <vector>

#include "base/stopwatch.h"
#include "jobs/admission.h"
#include "jobs/job.h"
#include "jobs/prepared_job.h"

namespace snug {

struct BatchJob {
  Job job;
  std::shared_ptr<const PreparedJob> prepared;
  int64_t first_picture = 0;  // in the batch
  bool left = false;          // cancelled or ended: nothing more happens to it here
  Stopwatch since_begun;      // the store has had it as running

  int64_t pictures() const { return prepared->request.batch; }
  // Of work that `all` pictures took.
  double share(int64_t all) const { return static_cast<double>(pictures()) / static_cast<double>(all); }
};

int64_t batch_pictures(const std::vector<BatchJob>& batch);

// Whether the job's pictures may run with the batch's: same plan, room for them, nothing to go on from, and
// none that is being made there already.
bool may_join(const BatchJob& job, const std::vector<BatchJob>& batch, int64_t most_pictures);

// Leaves as many jobs, from the first on, as are predicted to gain by running together. Returns the plan of
// them all. Throws what Admission::plan throws for the first alone.
JobPlan shrink_to_gain(std::vector<BatchJob>& batch, Admission& admission);

// Gives each job its place among the pictures.
void lay_out(std::vector<BatchJob>& batch);

// One request for all of them.
RequestFields batch_fields(const std::vector<BatchJob>& batch);

}  // namespace snug
