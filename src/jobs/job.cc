#include "jobs/job.h"

#include <array>

namespace snug {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"queued", "planned", "running",
                                                    "done",   "failed",  "cancelled"};

}  // namespace

std::string_view job_state_name(JobState state) { return kNames.at(static_cast<size_t>(state)); }

std::string_view media_type(const JobPicture& picture) {
  return picture.clip.has_value() ? media_type(picture.clip->format) : media_type(picture.format);
}

std::optional<JobState> job_state_named(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == name) return static_cast<JobState>(i);
  }
  return std::nullopt;
}

}  // namespace snug
