#include "server/submit_job.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "jobs/accounts.h"
#include "server/http_error.h"

namespace snug {
namespace {

constexpr double kMostWaitSeconds = 86'400;

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

Job submit_job(Service& service, const Submission& submission) {
  try {
    return service.submit(submission);
  } catch (const Error& error) {
    int64_t wait_seconds = 0;
    if (error.code() == ErrorCode::kQueueFull) {
      const double wait = std::min(service.queue_figures().wait_seconds.value_or(1), kMostWaitSeconds);
      wait_seconds = std::max<int64_t>(1, std::llround(std::ceil(wait)));
    } else if (error.code() == ErrorCode::kQuotaExceeded) {
      wait_seconds = seconds_to_next_day(now_ms());
    } else {
      throw;
    }
    throw HttpError(error_info(error.code()).http_status, std::string(error.word()), error.problem(),
                    error.fix())
        .after_seconds(wait_seconds);
  }
}

std::vector<PictureBytes> pictures_of(const Job& job, const std::string& owner, Service& service) {
  std::vector<PictureBytes> pictures;
  for (size_t i = 0; i < job.pictures.size(); ++i)
    pictures.push_back(service.picture(job.id, static_cast<int>(i), owner));
  return pictures;
}

}  // namespace snug
