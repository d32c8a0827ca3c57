// From the configuration to what the service is made of: its folder, database, options, models. For the
// commands that run it or look into it.
#pragma once

#include <memory>
#include <string>
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

// The embedded model, and those in the configured folders; the default first.
std::vector<ListedModel> listed_models(const Configuration& configuration);

}  // namespace snug::cli
