// A job's request made ready: read, its model opened, checked, with its seeds settled. Made when a job is
// submitted, and again after a restart.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "jobs/blob_store.h"
#include "jobs/service_options.h"
#include "pipeline/fit_time.h"
#include "pipeline/open_model.h"
#include "pipeline/request.h"

namespace snug {

struct PreparedJob {
  RequestFields fields;
  std::shared_ptr<const Model> model;
  Request request;
  std::string asked;         // JSON of the request as it came
  std::string json;          // as the store keeps it: with its seed
  std::vector<size_t> made;  // which of request.pictures become files: all, or the one of only_index
  std::vector<std::string> addresses;  // content address of each of these
  std::vector<std::string> inputs;     // blobs that the request names
  // Equal for jobs whose pictures may run in one batch; empty for one that runs alone. Only of jobs that come
  // from the store, which are the ones that are put together.
  std::string batch_key;
  std::optional<TimeChoice> promise;  // what a time became that was asked for
};

class JobPreparer {
 public:
  JobPreparer(const ServiceOptions& options, BlobStore& blobs) : options_(options), blobs_(blobs) {}

  // Throws what finding, opening and validate_request throw.
  std::shared_ptr<const PreparedJob> prepare(RequestFields fields);
  // From the store's text.
  std::shared_ptr<const PreparedJob> prepare(const std::string& json);

 private:
  std::shared_ptr<PreparedJob> read(RequestFields fields);
  std::shared_ptr<const Model> open(const RequestFields& fields);

  const ServiceOptions& options_;
  BlobStore& blobs_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Model>> models_;  // opened; guarded by mutex_
};

}  // namespace snug
