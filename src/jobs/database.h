// The one database of the service, through SOCI: SQLite in a file, or PostgreSQL. Called by the stores
// (job_store.h, token_store.h, cache_store.h, upload_store.h), each operation of which is one transaction.
// What the tables are is schema.h's; what is in them is the stores'.
//
// Threads: all methods may be called from any. There is one writer at a time, in this process and among
// processes: SQLite allows no more, and for PostgreSQL each writing transaction begins with one advisory
// lock. So whatever a transaction reads stays true until it ends, on both, and none is ever retried. Readers
// have connections of their own, see the last whole state, and do not wait for the writer.
//
// SQLite: WAL, so that readers and the writer do not wait for each other; synchronous=FULL, because in WAL
// mode NORMAL may lose the last transactions in a power cut, and an accepted job must not be lost;
// foreign keys on; a busy timeout for locks of other processes.
//
// All throw Error: store_error (locked by another process for longer than the wait, connection lost, a
// schema newer than this program), disk_full, io_error, corrupt_file. A lost connection is opened again by
// the next transaction. Messages hold no values of rows: SOCI's own do, and a prompt would get into a log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "jobs/sql.h"

namespace snug {

struct DatabaseOptions {
  std::string place;                // "postgresql://...", "sqlite:PATH" or a path, whose folder exists
  double lock_wait_seconds = 5;     // configured; for other processes' and other threads' transactions
  int readers = 4;                  // connections
  std::function<int64_t()> now_ms;  // since 1970, UTC; empty: the system's clock. From any thread.
};

class Database {
 public:
  // Connects, and brings the tables to this program's schema.
  explicit Database(DatabaseOptions options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Calls work(Sql&) in a transaction and returns what it returns. What it throws rolls everything back and
  // goes on to the caller. Not from inside another transaction of the same thread.
  template <typename Work>
  auto write(Work&& work) {
    return returning(std::forward<Work>(work), [this](const Transaction& run) { run_write(run); });
  }
  // The same, seeing one state of the whole database throughout. Writes nothing.
  template <typename Work>
  auto read(Work&& work) {
    return returning(std::forward<Work>(work), [this](const Transaction& run) { run_read(run); });
  }

  // Makes this process the one service of the database until it ends, however it ends. Throws conflict when
  // there is one. Other processes may still read and write (`snug cache`).
  void become_the_service();

  int64_t now_ms() const { return options_.now_ms(); }
  bool is_postgresql() const;

 private:
  using Transaction = std::function<void(Sql&)>;
  struct Connections;

  template <typename Work, typename Run>
  static auto returning(Work&& work, const Run& run) {
    using Result = std::invoke_result_t<Work, Sql&>;
    if constexpr (std::is_void_v<Result>) {
      run(work);
    } else {
      std::optional<Result> result;
      run([&](Sql& sql) { result.emplace(work(sql)); });
      return *std::move(result);
    }
  }
  void run_write(const Transaction& work);
  void run_read(const Transaction& work);

  DatabaseOptions options_;
  std::unique_ptr<Connections> connections_;
};

}  // namespace snug
