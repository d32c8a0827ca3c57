// The service of one process: its stores, its engine, its caches. Made by `snug serve`; the server's handlers
// see only Service.
//
// Whatever was accepted before is taken up again when it is made; stop() ends it so that nothing is lost.
// Only one may have a database at a time.
#pragma once

#include <memory>

#include "jobs/service.h"
#include "jobs/service_options.h"

namespace snug {

class Database;

// Throws conflict when another process has the database, and what opening it and the data folder throws.
// `database` outlives the service.
std::unique_ptr<Service> make_local_service(const ServiceOptions& options, Database& database);

}  // namespace snug
