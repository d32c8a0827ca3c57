// Finished pictures by their content address: what the cache of results has of a job, and putting there what
// a run made. Called by the service, its scheduler and its runs.
#pragma once

#include <string>
#include <vector>

#include "jobs/blob_store.h"
#include "jobs/cache_store.h"
#include "jobs/job.h"
#include "jobs/prepared_job.h"

namespace snug {

// The pictures of a job whose every address the cache has; empty otherwise. `again`: the job has been looked
// for before, so that another miss is none.
std::vector<JobPicture> cached_pictures(const PreparedJob& job, CacheStore& caches, bool again = false);
// Puts a finished picture into the cache of results.
void keep_picture(const std::string& address, const JobPicture& picture, CacheStore& caches,
                  BlobStore& blobs);

}  // namespace snug
