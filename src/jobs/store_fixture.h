// For the tests of this folder: an empty database of each kind, with a clock that the test sets.
//
// Each test runs on SQLite, in a temporary folder, and where SNUG_TEST_POSTGRES is a connection string
// (`./dev test --postgres`) also on PostgreSQL, in a schema of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <soci/postgresql/soci-postgresql.h>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "jobs/connection.h"
#include "jobs/database.h"
#include "jobs/job_store.h"

namespace snug {

// The parameter of a test is the kind of its database.
inline std::vector<std::string> database_kinds() {
  std::vector<std::string> kinds = {"sqlite"};
  if (std::getenv("SNUG_TEST_POSTGRES") != nullptr) kinds.emplace_back("postgresql");
  return kinds;
}

inline std::string kind_name(const ::testing::TestParamInfo<std::string>& kind) { return kind.param; }

class StoreTest : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr int64_t kStartMs = 1'795'305'600'000;  // 2026-11-22 00:00 UTC

  StoreTest() {
    if (GetParam() == "sqlite") {
      place_ = folder_.path("snug.sqlite");
      return;
    }
    server_ = std::getenv("SNUG_TEST_POSTGRES");
    static int count = 0;
    schema_ = fmt::format("snug_test_{}_{}", ::getpid(), count++);
    command(fmt::format("CREATE SCHEMA {}", schema_));
    place_ = fmt::format("{}{}options=-csearch_path%3D{}&application_name={}", server_,
                         server_.find('?') == std::string::npos ? '?' : '&', schema_, schema_);
  }
  ~StoreTest() override {
    database_.reset();
    if (!schema_.empty()) command(fmt::format("DROP SCHEMA {} CASCADE", schema_));
  }

  DatabaseOptions options() {
    DatabaseOptions options;
    options.place = place_;
    options.now_ms = [this] { return now_ms_.load(); };
    return options;
  }
  Database& database() {
    if (database_ == nullptr) database_ = std::make_unique<Database>(options());
    return *database_;
  }
  void close() { database_.reset(); }
  void command(const std::string& statement) {
    soci::session connection(soci::postgresql, server_);
    connection << "SET client_min_messages = warning";
    connection << statement;
  }

  TemporaryFolder folder_;
  std::string place_, server_, schema_;
  std::atomic<int64_t> now_ms_ = kStartMs;
  std::unique_ptr<Database> database_;
};

// The error that `work` throws; fails the test when it throws none.
inline Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::kInternal, "none"};
}

inline NewJob new_job(const std::string& owner, int priority = 0) {
  NewJob added;
  added.job.owner = owner;
  added.job.api = "native";
  added.job.priority = priority;
  added.job.request = R"({"prompt":"a hill"})";
  added.job.address = "address";
  added.job.request_digest = "digest";
  added.prompt = "a hill";
  return added;
}

inline JobPicture picture_of(const std::string& blob, int64_t bytes = 100) {
  JobPicture picture;
  picture.blob = blob;
  picture.bytes = bytes;
  picture.width = 64;
  picture.height = 48;
  picture.seed = 7;
  return picture;
}

}  // namespace snug
