// What the engine and its parts work on. Made by local_service.cc.
#pragma once

#include "cache/conditioning_cache.h"
#include "jobs/admission.h"
#include "jobs/blob_store.h"
#include "jobs/cache_store.h"
#include "jobs/decode_folders.h"
#include "jobs/event_hub.h"
#include "jobs/job_store.h"
#include "jobs/prepared_job.h"
#include "jobs/preview_maker.h"
#include "jobs/service_options.h"

namespace snug {

// All outlive the engine.
struct EngineParts {
  const ServiceOptions& options;
  JobStore& jobs;
  BlobStore& blobs;
  CacheStore& caches;
  ConditioningCache& conditioning;
  JobPreparer& preparer;
  Admission& admission;
  EventHub& events;
  PreviewMaker& previews;
  DecodeFolders& decodings;
};

}  // namespace snug
