// What the server, whichever API it speaks, may ask for: jobs, plans, pictures, caches. No HTTP and no JSON
// of any API here.
//
// Threads: every method may be called from any thread. None waits for a picture; each waits at most for a
// transaction, but for plan(), which plans. All throw Error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/job.h"
#include "pipeline/request.h"

namespace snug {

// A request as it came in. Pictures that it begins with are in `fields` already.
struct Submission {
  RequestFields fields;                    // `output` is empty: pictures are kept by the service
  std::string owner;                       // who is charged and shares fairly; "" without tokens
  std::string api;                         // "native", "openai", "a1111", "comfyui"
  int priority = 0;                        // -100 .. 100; higher first
  std::optional<double> deadline_seconds;  // from now; a job that has not begun then fails
  std::string idempotency_key;             // empty: none
  std::string preset;                      // "draft", "standard", "high"; empty: none
  std::optional<double> time_seconds;      // best quality whose predicted time fits
  bool previews = false;                   // send small pictures while denoising
};

// Something happened to a job. Sent in the order in which it happened.
struct JobEvent {
  Job job;                                                // as it is now
  std::shared_ptr<const std::vector<std::byte>> preview;  // PNG, or null
};

// Ends when destroyed; no call is under way or follows then.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

struct JobQuery {
  std::string owner;  // empty: everybody's
  std::optional<JobState> state;
  std::string search;  // words that the prompt has
  std::string before;  // id; only older ones
  int limit = 50;      // 1 .. 500
};

struct PictureBytes {
  std::vector<std::byte> bytes;
  std::string_view media_type = "image/png";  // of a program's lifetime
  std::string digest = {};                    // SHA-256 of the bytes, where it is known
};

struct CacheFigures {
  std::string kind;  // "results", "conditioning", "models"
  int64_t entries = 0, bytes = 0, limit_bytes = 0;
  std::optional<double> ttl_seconds;
  int64_t hits = 0, misses = 0, evictions = 0;  // since the store was made
};

struct QueueFigures {
  int64_t queued = 0, planned = 0, running = 0;
  int64_t reserved_bytes = 0, budget_bytes = 0;
  std::optional<double> wait_seconds;  // predicted, until a job that came now would begin
};

class Service {
 public:
  virtual ~Service() = default;

  // The job as accepted: queued, or done when it was found in the cache. Throws invalid_argument, not_found,
  // over_budget (as `snug plan` answers), queue_full, quota_exceeded, and what opening the model throws.
  virtual Job submit(const Submission& submission) = 0;
  // Throws not_found, also for another owner's job.
  virtual Job job(const std::string& id, const std::string& owner) = 0;
  virtual std::vector<Job> jobs(const JobQuery& query) = 0;
  // The job as it is after the request to cancel; nothing happens to one that has ended.
  virtual Job cancel(const std::string& id, const std::string& owner) = 0;
  // Events of one job, or with an empty id of all of the owner's. Called from a thread of the service; must
  // not block.
  virtual std::unique_ptr<Subscription> subscribe(const std::string& id, const std::string& owner,
                                                  std::function<void(const JobEvent&)> receive) = 0;

  // As `snug plan --json`. Nothing is queued.
  virtual std::string plan(const Submission& submission) = 0;

  // Throws not_found.
  virtual PictureBytes picture(const std::string& job, int number, const std::string& owner) = 0;
  // The picture that stands for a clip. Throws not_found, also for a picture.
  virtual PictureBytes poster(const std::string& job, int number, const std::string& owner) = 0;
  // Keeps a picture that later requests begin with; the same bytes have the same id. Throws bad_image,
  // too_large, unsupported_image.
  virtual std::string upload(std::vector<std::byte> bytes, const std::string& owner) = 0;
  virtual PictureBytes uploaded(const std::string& id, const std::string& owner) = 0;

  virtual std::vector<CacheFigures> cache_figures() = 0;
  virtual void clear_cache(const std::string& kind) = 0;  // empty: all
  virtual QueueFigures queue_figures() = 0;
};

}  // namespace snug
