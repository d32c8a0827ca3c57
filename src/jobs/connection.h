// One connection to the database, set up, and what its errors mean. Called by database.cc alone.
#pragma once

#include <memory>
#include <string>

// SOCI's headers are for this folder's sources only.
#include <soci/soci.h>

#include "base/error.h"

namespace snug {

struct DatabasePlace {
  bool postgresql = false;
  std::string text;  // connection string, or path of the file
  std::string name;  // for messages: the path, or "PostgreSQL"; a connection string may hold a password
};
// Of DatabaseOptions::place. Throws invalid_argument.
DatabasePlace parse_place(const std::string& place);

// Throws what error_of gives.
std::unique_ptr<soci::session> open_connection(const DatabasePlace& place, double lock_wait_seconds);

// To be called first where `error` is caught: it looks at errno.
Error error_of(const soci::soci_error& error, const DatabasePlace& place);

// Must be thrown away: the server is gone, or the state of the transaction is not known.
bool is_broken(soci::session& connection, const DatabasePlace& place);

// Makes this process the one service of the database for as long as the result lives. Throws conflict. On
// PostgreSQL it is lost with its connection, unnoticed: it keeps two services from being started, no more.
class ServiceLock {
 public:
  virtual ~ServiceLock() = default;
};
std::unique_ptr<ServiceLock> lock_for_service(const DatabasePlace& place);

}  // namespace snug
