#include "jobs/connection.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/sqlite3/soci-sqlite3.h>

namespace snug {
namespace {

// Any number that no other program takes for its advisory locks; the writer's is database.cc's.
constexpr int64_t kServiceLockKey = 0x736e75672d737276;  // "snug-srv"

sqlite_api::sqlite3* sqlite_of(soci::session& connection) {
  return static_cast<soci::sqlite3_session_backend*>(connection.get_backend())->conn_;
}

PGconn* postgresql_of(soci::session& connection) {
  return static_cast<soci::postgresql_session_backend*>(connection.get_backend())->conn_;
}

// What the database says, without the lines that quote values of rows (DETAIL, CONTEXT). SOCI's what() would
// add the values of the statement.
std::string message_of(const soci::soci_error& error) {
  std::string message = error.get_error_message();
  for (const char* quoting : {"DETAIL:", "CONTEXT:", "LINE "}) {
    if (const size_t at = message.find(quoting); at != std::string::npos) message.erase(at);
  }
  // SOCI's own function.
  if (message.starts_with("sqlite3_") && message.find(": ") != std::string::npos) {
    message.erase(0, message.find(": ") + 2);
  }
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  for (char& letter : message) {
    if (letter == '\n') letter = ' ';
  }
  return message;
}

Error locked(const std::string& message) {
  return {ErrorCode::kStoreError,
          fmt::format("the database is locked by another process or a long transaction ({})", message),
          "try again; if it stays so, end what holds it"};
}

Error disk_full(const std::string& message) {
  return {ErrorCode::kDiskFull, fmt::format("the database cannot grow: {}", message),
          "free some space on its disk"};
}

bool means_full(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

// `system_error`: what the failed call to the system has left in errno. SQLite itself tells a full disk, but
// not a full quota or a limit of the file's size.
Error sqlite_error(const soci::sqlite3_soci_error& error, int system_error) {
  const std::string message = message_of(error);
  switch (error.result() & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return locked(message);
    case SQLITE_FULL: return disk_full(message);
    case SQLITE_IOERR:
      if (means_full(system_error)) return disk_full(message);
      return {ErrorCode::kIoError, fmt::format("the database's file: {}", message), "check its disk"};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {ErrorCode::kIoError,
              fmt::format("the database's file cannot be opened for writing: {}", message),
              "check that its folder is there and may be written to"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::kCorruptFile, fmt::format("the database's file is damaged: {}", message),
              "bring back a backup, or move the file away to begin anew"};
    default: return {ErrorCode::kStoreError, fmt::format("the database refuses: {}", message), "report this"};
  }
}

Error postgresql_error(const soci::postgresql_soci_error& error) {
  const std::string message = message_of(error), state = error.sqlstate();
  if (state == "55P03" || state == "57014") return locked(message);  // lock_not_available, query_canceled
  if (state == "53100") return disk_full(message);
  if (state.starts_with("08") || state.starts_with("57P")) {
    return {ErrorCode::kStoreError, fmt::format("the connection to PostgreSQL was lost: {}", message),
            "try again; see that the server runs"};
  }
  return {ErrorCode::kStoreError, fmt::format("PostgreSQL refuses: {}", message), "see the server's log"};
}

void set_up_sqlite(soci::session& connection, double lock_wait_seconds) {
  connection << fmt::format("PRAGMA busy_timeout = {}", static_cast<int>(lock_wait_seconds * 1000));
  std::string mode;
  connection << "PRAGMA journal_mode = WAL", soci::into(mode);
  if (mode != "wal") {
    throw Error(ErrorCode::kStoreError, fmt::format("SQLite answers '{}' when asked for its WAL mode", mode),
                "put the database on a local disk");
  }
  connection << "PRAGMA synchronous = FULL";
  connection << "PRAGMA foreign_keys = ON";
}

void set_up_postgresql(soci::session& connection, double lock_wait_seconds) {
  connection << fmt::format("SET lock_timeout = {}", static_cast<int>(lock_wait_seconds * 1000));
  connection << "SET synchronous_commit = on";
  connection << "SET client_encoding = 'UTF8'";
  connection << "SET client_min_messages = warning";  // no notices on standard error
}

class FileLock : public ServiceLock {
 public:
  explicit FileLock(const std::string& path) {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      if (descriptor_ >= 0) ::close(descriptor_);
      if (reason == EWOULDBLOCK) throw taken();
      throw Error(ErrorCode::kIoError, fmt::format("locking failed: {}", std::strerror(reason)),
                  "check the folder's rights")
          .in_file(path);
    }
  }
  ~FileLock() override { ::close(descriptor_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  static Error taken() {
    return {ErrorCode::kConflict, "another service runs on this database",
            "stop it, or use another database"};
  }

 private:
  int descriptor_ = -1;
};

class ConnectionLock : public ServiceLock {
 public:
  explicit ConnectionLock(const DatabasePlace& place) : connection_(open_connection(place, 1)) {
    std::string got;
    *connection_ << fmt::format("SELECT CAST(pg_try_advisory_lock({}) AS TEXT)", kServiceLockKey),
        soci::into(got);
    if (got != "true") throw FileLock::taken();
  }

 private:
  std::unique_ptr<soci::session> connection_;
};

}  // namespace

DatabasePlace parse_place(const std::string& place) {
  if (place.starts_with("postgresql://") || place.starts_with("postgres://")) {
    return {true, place, "PostgreSQL"};
  }
  const std::string path = place.starts_with("sqlite:") ? place.substr(7) : place;
  // SOCI gives the path in quotes and knows no escape for them.
  if (path.empty() || path.find('"') != std::string::npos || path.find("://") != std::string::npos) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("'{}' names no database", path),
                "give a path, 'sqlite:PATH' or 'postgresql://...'");
  }
  return {false, path, path};
}

std::unique_ptr<soci::session> open_connection(const DatabasePlace& place, double lock_wait_seconds) {
  std::unique_ptr<soci::session> connection;
  try {
    if (place.postgresql) {
      connection = std::make_unique<soci::session>(soci::postgresql, place.text);
      set_up_postgresql(*connection, lock_wait_seconds);
    } else {
      connection = std::make_unique<soci::session>(soci::sqlite3, fmt::format("dbname=\"{}\"", place.text));
      set_up_sqlite(*connection, lock_wait_seconds);
    }
  } catch (const soci::soci_error& error) {
    throw error_of(error, place);
  } catch (Error& error) {
    throw error.in_file(place.name);
  }
  return connection;
}

Error error_of(const soci::soci_error& error, const DatabasePlace& place) {
  const int system_error = errno;
  Error result(ErrorCode::kStoreError, fmt::format("the database does not answer: {}", message_of(error)),
               place.postgresql ? "see that the server runs and that the connection string is right"
                                : "check the file");
  if (const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error)) {
    result = sqlite_error(*sqlite, system_error);
  } else if (const auto* postgresql = dynamic_cast<const soci::postgresql_soci_error*>(&error)) {
    result = postgresql_error(*postgresql);
  }
  return result.in_file(place.name);
}

bool is_broken(soci::session& connection, const DatabasePlace& place) {
  if (!place.postgresql) return sqlite_api::sqlite3_get_autocommit(sqlite_of(connection)) == 0;
  PGconn* const server = postgresql_of(connection);
  return PQstatus(server) != CONNECTION_OK || PQtransactionStatus(server) != PQTRANS_IDLE;
}

std::unique_ptr<ServiceLock> lock_for_service(const DatabasePlace& place) {
  if (place.postgresql) return std::make_unique<ConnectionLock>(place);
  return std::make_unique<FileLock>(place.text + "-service");
}

}  // namespace snug
