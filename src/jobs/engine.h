// The thread that makes the pictures: takes the next jobs from the store, puts those together that share a
// plan, runs them, and puts down what came of it. Called by local_service.cc.
//
// One run at a time has all the cores. What a run leaves (plan, arena, weights) is kept for jobs of its
// shape, as far as memory goes; a run writes checkpoints, from which a job goes on after the process has
// ended.
//
// Whatever fails here ends in a job's state, never in the process: errors of the store itself are waited out.
//
// Threads: all methods may be called from any.
#pragma once

#include <memory>
#include <string>

#include "cache/conditioning_cache.h"
#include "jobs/admission.h"
#include "jobs/blob_store.h"
#include "jobs/cache_store.h"
#include "jobs/event_hub.h"
#include "jobs/job_store.h"
#include "jobs/prepared_job.h"

namespace snug {

// What the engine works on; all outlive it.
struct EngineParts {
  const ServiceOptions& options;
  JobStore& jobs;
  BlobStore& blobs;
  CacheStore& caches;
  ConditioningCache& conditioning;
  JobPreparer& preparer;
  Admission& admission;
  EventHub& events;
};

class Engine {
 public:
  explicit Engine(const EngineParts& parts);
  ~Engine();  // stops
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // A job is queued.
  void wake();
  // Ends the job if it is here: at once for everybody who asks; the run goes on if others share it, else it
  // stops between two kernels. False when it is not here.
  bool cancel(const std::string& id);
  // Takes no more jobs, and puts what runs back into the queue with a checkpoint of where it is.
  void stop();

  // Of the runs that are kept.
  CacheFigures kept_figures() const;
  void drop_kept();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The pictures of a job whose every address the cache has; empty otherwise. `again`: the job has been looked
// for before, so that another miss is none.
std::vector<JobPicture> cached_pictures(const PreparedJob& job, CacheStore& caches, bool again = false);
// Puts a finished picture into the cache of results.
void keep_picture(const std::string& address, const JobPicture& picture, CacheStore& caches,
                  BlobStore& blobs);

}  // namespace snug
