// Removes what nobody needs any more, while the service runs: jobs that ended long ago, old uploads, cache
// entries that are too old, blobs that nothing names, and what was kept of decodings whose jobs are over.
// Started by local_service.cc, beside the engine.
//
// A thread of its own does so at once, and then every interval. It is in nobody's way: it takes the database
// in small transactions with pauses between, during which others come to their turn, and holds no lock while
// it looks through the folder. What fails is logged and tried again sooner; the next time is a new beginning.
//
// Threads: the stores outlive it. The destructor waits for one transaction or one sweep, nothing more.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "jobs/blob_store.h"
#include "jobs/cache_store.h"
#include "jobs/database.h"
#include "jobs/decode_folders.h"
#include "jobs/job_store.h"
#include "jobs/service_options.h"
#include "jobs/upload_store.h"

namespace snug {

struct HousekeepingParts {
  Database& database;
  JobStore& jobs;
  UploadStore& uploads;
  CacheStore& caches;
  BlobStore& blobs;
  DecodeFolders& decodings;
};

class Housekeeping {
 public:
  Housekeeping(const HousekeepingOptions& options, const HousekeepingParts& parts);
  ~Housekeeping();
  Housekeeping(const Housekeeping&) = delete;
  Housekeeping& operator=(const Housekeeping&) = delete;

 private:
  void loop();
  void tidy();
  void forget_jobs();
  // False when the service stops meanwhile.
  bool pause(double seconds);

  const HousekeepingOptions options_;
  const HousekeepingParts parts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // last: it uses all of the above
};

}  // namespace snug
