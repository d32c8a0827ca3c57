#include "server/submit_job.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "server/http_error.h"

namespace snug {
namespace {

constexpr double kMostWaitSeconds = 86'400;

}  // namespace

Job submit_job(Service& service, const Submission& submission) {
  try {
    return service.submit(submission);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kQueueFull) throw;
    const double wait = std::min(service.queue_figures().wait_seconds.value_or(1), kMostWaitSeconds);
    throw HttpError(error_info(error.code()).http_status, std::string(error.word()), error.problem(),
                    error.fix())
        .after_seconds(std::max<int64_t>(1, std::llround(std::ceil(wait))));
  }
}

std::vector<PictureBytes> pictures_of(const Job& job, const std::string& owner, Service& service) {
  std::vector<PictureBytes> pictures;
  for (size_t i = 0; i < job.pictures.size(); ++i)
    pictures.push_back(service.picture(job.id, static_cast<int>(i), owner));
  return pictures;
}

}  // namespace snug
