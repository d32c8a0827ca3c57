// One request on its way through the service, as the store keeps it and the APIs show it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/picture_format.h"
#include "media/video_format.h"

namespace snug {

// queued -> planned -> running -> done, failed or cancelled. A restart puts what was planned or running back
// to queued, with its checkpoint; so does a retry.
enum class JobState : uint8_t { kQueued, kPlanned, kRunning, kDone, kFailed, kCancelled };
std::string_view job_state_name(JobState state);
std::optional<JobState> job_state_named(std::string_view name);
inline bool has_ended(JobState state) { return state >= JobState::kDone; }

// What a clip has that a picture has not.
struct JobClip {
  VideoFormat format = VideoFormat::kMp4;
  int64_t frames = 0;
  double frames_per_second = 0;
  std::string poster;        // blob of a WebP that stands for it (clip_poster.h); empty: none could be made
  int64_t poster_bytes = 0;  // of that blob
};

// A picture or a clip that a job made.
struct JobPicture {
  std::string blob;  // name in the BlobStore
  int64_t bytes = 0;
  PictureFormat format = PictureFormat::kPng;  // of a picture
  int64_t width = 0, height = 0;               // pixels
  uint64_t seed = 0;
  std::optional<JobClip> clip = {};
};
// "image/png", "video/mp4", ...
std::string_view media_type(const JobPicture& picture);

struct JobFailure {
  std::string code, problem, fix, stage;  // code: a word of base/error.h
  std::string ways_out;                   // JSON list, of over_budget; else empty
};

// Times are milliseconds since 1970, UTC; absent until they have come.
struct Job {
  std::string id;
  std::string owner, api;
  JobState state = JobState::kQueued;
  int priority = 0;
  int64_t created_ms = 0;
  std::optional<int64_t> started_ms, finished_ms, deadline_ms;
  std::string request;  // JSON, pipeline/request_json.h
  std::string address;  // content address of its pictures
  std::string idempotency_key, request_digest;
  int64_t pictures_asked = 1;
  int attempts = 0;                      // begun
  std::optional<int64_t> begun_ms;       // of the last attempt
  double earlier_seconds = 0;            // of attempts before that, measured
  std::optional<int64_t> not_before_ms;  // a retry waits until then

  std::optional<int64_t> planned_peak_bytes;  // predicted
  std::optional<double> planned_seconds;      // predicted
  int64_t reserved_bytes = 0;
  int step = 0, steps = 0;             // measured progress of denoising
  std::string stage;                   // of a running job: a word of Progress, not kept in the store
  std::optional<int> frame, frames;    // of a clip that is being decoded: done, of how many; not kept either
  std::optional<double> seconds_left;  // predicted; of a running job, not kept in the store
  std::string checkpoint;              // blob; empty: none
  int checkpoint_step = 0;
  bool cancel_requested = false;
  bool from_cache = false;
  bool previews = false;              // whoever asked wants small pictures while it is denoised
  std::optional<JobFailure> failure;  // of a queued job: why its last attempt ended
  std::string report;                 // JSON of pipeline/run_report.h; empty until it has ended
  std::vector<JobPicture> pictures;
};

}  // namespace snug
