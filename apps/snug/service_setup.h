// From the configuration to what the service is made of: its folder, database, options, models. For the
// commands that run it or look into it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/configuration.h"
#include "jobs/database.h"
#include "jobs/service_options.h"
#include "server/native/native_parts.h"
#include "server/server_options.h"

namespace snug::cli {

// The configured folder, else the user's own. Throws invalid_argument without a home.
std::string data_folder(const Configuration& configuration);
// Makes the folder where there is none. Throws io_error.
std::unique_ptr<Database> open_database(const Configuration& configuration);

ServiceOptions service_options(const Configuration& configuration);
ServerOptions server_options(const Configuration& configuration);

// The models that requests may name. Threads: list() may be called from any.
class ModelCatalog {
 public:
  explicit ModelCatalog(Configuration configuration) : configuration_(std::move(configuration)) {}

  // The embedded model, and those in the configured folders; the default first. Each is opened when it is new
  // or its files have changed, which takes as long as all else of a request together.
  std::vector<ListedModel> list();

 private:
  struct Known {
    std::string identity;  // of its files (pipeline/open_model.h)
    ListedModel model;
  };
  const Configuration configuration_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // by path; guarded by mutex_
};

}  // namespace snug::cli
