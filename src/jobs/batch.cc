#include "jobs/batch.h"

#include <algorithm>

#include "base/error.h"

namespace snug {
namespace {

// A batch is worth it when it takes at most so much of what its jobs take one after the other.
constexpr double kWorthwhile = 0.99;

bool shares_an_address(const PreparedJob& a, const PreparedJob& b) {
  return std::any_of(a.addresses.begin(), a.addresses.end(), [&](const std::string& address) {
    return std::find(b.addresses.begin(), b.addresses.end(), address) != b.addresses.end();
  });
}

}  // namespace

int64_t batch_pictures(const std::vector<BatchJob>& batch) {
  int64_t pictures = 0;
  for (const BatchJob& job : batch) pictures += job.pictures();
  return pictures;
}

bool may_join(const BatchJob& job, const std::vector<BatchJob>& batch, int64_t most_pictures) {
  const BatchJob& first = batch.front();
  if (!first.job.checkpoint.empty() || !job.job.checkpoint.empty()) return false;
  if (first.prepared->batch_key.empty() || job.prepared->batch_key != first.prepared->batch_key) return false;
  if (job.prepared->model != first.prepared->model) return false;
  if (batch_pictures(batch) + job.pictures() > most_pictures) return false;
  // The later of two equal ones finds the result of the earlier.
  return std::none_of(batch.begin(), batch.end(), [&](const BatchJob& other) {
    return shares_an_address(*job.prepared, *other.prepared);
  });
}

JobPlan shrink_to_gain(std::vector<BatchJob>& batch, Admission& admission) {
  const auto plan_of = [&](const std::vector<BatchJob>& jobs) {
    return admission.plan(batch_fields(jobs), *jobs.front().prepared->model);
  };
  const JobPlan alone = plan_of({batch.front()});
  while (batch.size() > 1) {
    try {
      const JobPlan together = plan_of(batch);
      double apart = 0;
      for (const BatchJob& job : batch) {
        apart += alone.seconds * static_cast<double>(job.pictures()) /
                 static_cast<double>(batch.front().pictures());
      }
      if (together.seconds <= kWorthwhile * apart) return together;
    } catch (const Error&) {
      // Too many for the budget.
    }
    batch.resize(batch.size() / 2);
  }
  return alone;
}

void lay_out(std::vector<BatchJob>& batch) {
  int64_t next = 0;
  for (BatchJob& job : batch) {
    job.first_picture = next;
    next += job.pictures();
  }
}

RequestFields batch_fields(const std::vector<BatchJob>& batch) {
  RequestFields fields = batch.front().prepared->fields;
  if (batch.size() == 1) return fields;
  for (const BatchJob& job : batch) {
    for (const RequestPicture& picture : job.prepared->request.pictures) {
      fields.pictures.push_back(picture.fields());
    }
  }
  return fields;
}

}  // namespace snug
