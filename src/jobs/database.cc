#include "jobs/database.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "jobs/connection.h"
#include "jobs/schema.h"

namespace snug {
namespace {

// Of PostgreSQL's advisory lock that one writing transaction holds at a time.
constexpr int64_t kWriterLockKey = 0x736e75672d777269;  // "snug-wri"

int64_t system_now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

// Connections, opened when they are first needed, each used by one thread at a time.
class Pool {
 public:
  explicit Pool(int size) : free_(static_cast<size_t>(size)) {}

  // Null: not open. Throws store_error when none becomes free in time.
  std::unique_ptr<soci::session> take(double wait_seconds) {
    std::unique_lock lock(mutex_);
    if (!given_back_.wait_for(lock, std::chrono::duration<double>(wait_seconds),
                              [&] { return !free_.empty(); })) {
      throw Error(ErrorCode::kStoreError,
                  fmt::format("no connection to the database became free within {} s", wait_seconds),
                  "try again; if it stays so, see what holds the database");
    }
    std::unique_ptr<soci::session> connection = std::move(free_.back());
    free_.pop_back();
    return connection;
  }

  void give_back(std::unique_ptr<soci::session> connection) {
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(connection));
    }
    given_back_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<std::unique_ptr<soci::session>> free_;
};

void roll_back(soci::session& connection) {
  try {
    connection << "ROLLBACK";
  } catch (const soci::soci_error&) {
    // Where the database has rolled back by itself (disk full), or is gone. is_broken() tells.
  }
}

}  // namespace

struct Database::Connections {
  DatabasePlace place;
  double lock_wait_seconds;
  Pool writer{1};
  Pool readers;
  std::mutex mutex;
  std::unique_ptr<ServiceLock> service;  // guarded by mutex

  Connections(const DatabaseOptions& options)  // NOLINT(google-explicit-constructor): private to this file
      : place(parse_place(options.place)),
        lock_wait_seconds(options.lock_wait_seconds),
        readers(options.readers) {}

  void run(Pool& pool, const std::vector<std::string>& begin, const Transaction& work) {
    Lease lease(*this, pool);
    soci::session& connection = lease.open();
    try {
      for (const std::string& statement : begin) connection << statement;
      Sql sql(connection);
      work(sql);
      connection << "COMMIT";
    } catch (const soci::soci_error& error) {
      const Error cause = error_of(error, place);
      roll_back(connection);
      throw cause;
    } catch (...) {
      roll_back(connection);
      throw;
    }
  }

  // A connection of a pool for one transaction.
  class Lease {
   public:
    Lease(Connections& all, Pool& pool)
        : all_(all), pool_(pool), connection_(pool.take(all.lock_wait_seconds)) {}
    ~Lease() {
      if (connection_ != nullptr && is_broken(*connection_, all_.place)) connection_.reset();
      pool_.give_back(std::move(connection_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    soci::session& open() {
      if (connection_ == nullptr) connection_ = open_connection(all_.place, all_.lock_wait_seconds);
      return *connection_;
    }

   private:
    Connections& all_;
    Pool& pool_;
    std::unique_ptr<soci::session> connection_;
  };
};

Database::Database(DatabaseOptions options) : options_(std::move(options)) {
  SNUG_CHECK(options_.readers > 0 && options_.lock_wait_seconds > 0, "a database has readers, who wait");
  if (!options_.now_ms) options_.now_ms = system_now_ms;
  connections_ = std::make_unique<Connections>(options_);
  run_write([this](Sql& sql) { migrate(sql, is_postgresql()); });
}

Database::~Database() = default;

void Database::run_write(const Transaction& work) {
  // IMMEDIATE: a transaction that reads first and writes later would otherwise find that somebody wrote
  // between, and could only begin again.
  static const std::vector<std::string> kSqlite = {"BEGIN IMMEDIATE"};
  static const std::vector<std::string> kPostgresql = {
      "BEGIN", fmt::format("SELECT pg_advisory_xact_lock({})", kWriterLockKey)};
  connections_->run(connections_->writer, is_postgresql() ? kPostgresql : kSqlite, work);
}

void Database::run_read(const Transaction& work) {
  static const std::vector<std::string> kSqlite = {"BEGIN"};
  static const std::vector<std::string> kPostgresql = {"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"};
  connections_->run(connections_->readers, is_postgresql() ? kPostgresql : kSqlite, work);
}

void Database::become_the_service() {
  const std::lock_guard lock(connections_->mutex);
  if (connections_->service == nullptr) connections_->service = lock_for_service(connections_->place);
}

bool Database::is_postgresql() const { return connections_->place.postgresql; }

}  // namespace snug
