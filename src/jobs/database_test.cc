// The database under what may happen to it: other processes, full disks, damage, lost connections.
#include "jobs/database.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/stopwatch.h"
#include "jobs/cache_store.h"
#include "jobs/job_store.h"
#include "jobs/store_fixture.h"
#include "jobs/token_store.h"

namespace snug {
namespace {

class DatabaseTest : public StoreTest {
 protected:
  bool sqlite() const { return GetParam() == "sqlite"; }
  int64_t jobs() {
    return database().read([](Sql& sql) { return sql.integer("SELECT COUNT(*) FROM job"); });
  }
};

INSTANTIATE_TEST_SUITE_P(Databases, DatabaseTest, ::testing::ValuesIn(database_kinds()), kind_name);

// Another process that is in a writing transaction from the constructor on, for that long.
class Holder {
 public:
  Holder(const DatabaseOptions& options, unsigned milliseconds) {
    int ends[2] = {};
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ == 0) {
      Database database(options);
      database.write([&](Sql&) {
        if (::write(ends[1], "x", 1) == 1) ::usleep(milliseconds * 1000);
      });
      std::_Exit(0);
    }
    ::close(ends[1]);
    char letter = 0;
    EXPECT_EQ(::read(ends[0], &letter, 1), 1) << "the child holds no lock";
    ::close(ends[0]);
  }
  ~Holder() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

 private:
  pid_t child_ = -1;
};

TEST(DatabasePlaces, AreAPathOrAConnectionString) {
  EXPECT_FALSE(parse_place("/a b/c.sqlite").postgresql);
  EXPECT_EQ(parse_place("sqlite:/a b/c.sqlite").text, "/a b/c.sqlite");
  EXPECT_TRUE(parse_place("postgresql://user:secret@host/name").postgresql);
  EXPECT_EQ(parse_place("postgresql://user:secret@host/name").name.find("secret"), std::string::npos);
  for (const char* bad : {"", "sqlite:", "mysql://host", "a\"b"}) {
    EXPECT_EQ(error_of([&] { parse_place(bad); }).code(), ErrorCode::kInvalidArgument) << bad;
  }
}

TEST(DatabasePlaces, AFolderWithSpacesAndSignsIsOne) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path("a  b=c 'd' ü"));
  DatabaseOptions options;
  options.place = folder.path("a  b=c 'd' ü/snug.sqlite");
  Database database(options);
  EXPECT_TRUE(std::filesystem::exists(options.place));
}

TEST(DatabasePlaces, WhatCannotBeOpenedIsAnErrorThatSaysWhat) {
  const TemporaryFolder folder;
  DatabaseOptions options;
  options.place = folder.path("none/snug.sqlite");
  Error error = error_of([&] { const Database database(options); });
  EXPECT_EQ(error.code(), ErrorCode::kIoError);
  EXPECT_EQ(error.file(), options.place);
  options.place = folder.path("garbage");
  std::ofstream(options.place) << std::string(8192, 'x');
  error = error_of([&] { const Database database(options); });
  EXPECT_EQ(error.code(), ErrorCode::kCorruptFile);
  options.place = "postgresql://user:hidden@/name?host=" + folder.path("no-socket");
  error = error_of([&] { const Database database(options); });
  EXPECT_EQ(error.code(), ErrorCode::kStoreError);
  EXPECT_EQ(std::string(error.what()).find("hidden"), std::string::npos);
}

TEST_P(DatabaseTest, ValuesComeBackAsTheyWere) {
  const int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
  database().write([&](Sql& sql) {
    sql.run("CREATE TABLE v (i BIGINT, r DOUBLE PRECISION, t TEXT)");
    sql.run("INSERT INTO v (i, r, t) VALUES (?, ?, ?)", {least, 0.1, std::string("")});
    sql.run("INSERT INTO v (i, r, t) VALUES (?, ?, ?)",
            {most, -1e300, std::string("?:p1 'x' \\ \n ü 🏔")});
    sql.run("INSERT INTO v (i, r, t) VALUES (?, ?, ?)", {{}, {}, {}});
    EXPECT_EQ(sql.run("UPDATE v SET t = t WHERE i IS NOT NULL"), 2);
    EXPECT_EQ(sql.run("UPDATE v SET t = t WHERE i = 0"), 0);
  });
  database().read([&](Sql& sql) {
    std::vector<SqlRow> rows = sql.rows("SELECT i, r, t FROM v WHERE i IS NOT NULL ORDER BY i", 3);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].integer(), least);
    EXPECT_EQ(rows[0].real(), 0.1);
    EXPECT_EQ(rows[0].text(), "");
    EXPECT_EQ(rows[1].integer(), most);
    EXPECT_EQ(rows[1].real(), -1e300);
    EXPECT_EQ(rows[1].text(), "?:p1 'x' \\ \n ü 🏔");
    std::optional<SqlRow> null = sql.row("SELECT i, r, t FROM v WHERE i IS NULL", 3);
    ASSERT_TRUE(null);
    EXPECT_FALSE(null->maybe_integer() || null->maybe_real());
    EXPECT_EQ(null->text(), "");
  });
}

TEST_P(DatabaseTest, SqliteIsSetUpToLoseNothing) {
  if (!sqlite()) GTEST_SKIP();
  database().write([](Sql& sql) {
    EXPECT_EQ(sql.row("PRAGMA journal_mode", 1)->text(), "wal");
    EXPECT_EQ(sql.integer("PRAGMA synchronous"), 2) << "FULL";
    EXPECT_EQ(sql.integer("PRAGMA foreign_keys"), 1);
  });
}

TEST_P(DatabaseTest, WhatThrowsLeavesNothing) {
  const Error error = error_of([&] {
    database().write([](Sql& sql) {
      sql.run("INSERT INTO owner_use (owner, level) VALUES ('o', 1)");
      throw Error(ErrorCode::kQuotaExceeded, "enough");
    });
  });
  EXPECT_EQ(error.code(), ErrorCode::kQuotaExceeded);
  database().read([](Sql& sql) { EXPECT_EQ(sql.integer("SELECT COUNT(*) FROM owner_use"), 0); });
}

TEST_P(DatabaseTest, MessagesHoldNoValues) {
  const std::string prompt = "a private hill";
  const Error error = error_of([&] {
    database().write([&](Sql& sql) {
      for (int i = 0; i < 2; ++i) {
        sql.run("INSERT INTO owner_use (owner, level) VALUES (?, ?)", {prompt, 1.0});
      }
    });
  });
  EXPECT_EQ(error.code(), ErrorCode::kStoreError);
  EXPECT_EQ(std::string(error.what()).find("private"), std::string::npos) << error.what();
}

TEST_P(DatabaseTest, TablesOfANewerProgramAreLeftAlone) {
  database().write([](Sql& sql) { sql.run("INSERT INTO schema_version (version) VALUES (1000)"); });
  close();
  const Error error = error_of([&] { database(); });
  EXPECT_EQ(error.code(), ErrorCode::kStoreError);
  EXPECT_NE(error.fix().find("newer"), std::string::npos);
}

// Leaves of the tables what a program of the first version made.
void forget_later_versions(Database& database) {
  const std::set<std::string> first = {"job",    "picture",     "job_input",     "owner_use",
                                       "upload", "cache_entry", "cache_blob",    "cache_count",
                                       "token",  "daily_usage", "schema_version"};
  database.write([&](Sql& sql) {
    // Views first: they hold on to columns.
    auto all = sql.rows(database.is_postgresql()
                            ? "SELECT CASE table_type WHEN 'VIEW' THEN 'view' ELSE 'table' END AS type, "
                              "table_name FROM information_schema.tables WHERE table_schema = "
                              "current_schema() ORDER BY type DESC"
                            : "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'table') AND name "
                              "NOT LIKE 'sqlite%' ORDER BY type DESC",
                        2);
    for (SqlRow& row : all) {
      const std::string type = row.text(), name = row.text();
      if (!first.contains(name)) sql.run("DROP " + type + " " + name);
    }
    for (const char* column : {"previews", "begun_ms", "earlier_seconds"}) {
      sql.run(std::string("ALTER TABLE job DROP COLUMN ") + column);
    }
    sql.run("DROP INDEX picture_by_poster");
    for (const char* column : {"frames", "fps", "poster", "poster_bytes"}) {
      sql.run(std::string("ALTER TABLE picture DROP COLUMN ") + column);
    }
    sql.run("DELETE FROM schema_version WHERE version > 1");
  });
}

TEST_P(DatabaseTest, JobsOfTheFirstVersionAreThereAfterTheNext) {
  const std::string id = JobStore(database()).add(new_job("o"), 10).job.id;
  NewJob made = new_job("o");
  made.job.state = JobState::kDone;
  made.job.pictures = {picture_of("p")};
  const std::string done = JobStore(database()).add(made, 10).job.id;
  forget_later_versions(database());
  close();
  EXPECT_FALSE(JobStore(database()).get(id).previews);
  const Job with_picture = JobStore(database()).get(done);
  ASSERT_EQ(with_picture.pictures.size(), 1U);
  EXPECT_EQ(with_picture.pictures[0].blob, "p");
  EXPECT_FALSE(with_picture.pictures[0].clip.has_value()) << "what was made before is a picture";
  database().read([](Sql& sql) { EXPECT_GE(sql.integer("SELECT MAX(version) FROM schema_version"), 2); });
}

TEST_P(DatabaseTest, AWriterWaitsForAnotherProcess) {
  JobStore store(database());
  const Holder holder(options(), 300);
  const Stopwatch watch;
  store.add(new_job("o"), 10);
  EXPECT_GT(watch.seconds(), 0.1);
  EXPECT_EQ(jobs(), 1);
}

TEST_P(DatabaseTest, AWriterThatWaitedTooLongSaysSoAndTheNextOneIsFree) {
  DatabaseOptions impatient = options();
  impatient.lock_wait_seconds = 0.2;
  Database waiting(impatient);
  JobStore store(waiting);
  {
    const Holder holder(options(), 60'000);
    const Error error = error_of([&] { store.add(new_job("o"), 10); });
    EXPECT_EQ(error.code(), ErrorCode::kStoreError);
    EXPECT_NE(error.problem().find("locked"), std::string::npos) << error.what();
    const Stopwatch watch;
    EXPECT_TRUE(store.list({}).empty());
    EXPECT_LT(watch.seconds(), 0.2) << "readers do not wait";
  }
  EXPECT_NO_THROW(store.add(new_job("o"), 10)) << "the holder was killed";
  EXPECT_EQ(jobs(), 1);
}

TEST_P(DatabaseTest, WhatOnlyCountsWaitsWhileTheDatabaseIsLocked) {
  DatabaseOptions impatient = options();
  impatient.lock_wait_seconds = 0.1;
  Database waiting(impatient);
  JobStore jobs(waiting);
  TokenStore tokens(waiting);
  CacheStore cache(waiting, {{"results", {100, std::nullopt}}});
  const std::string secret = tokens.create("a", {true, false, false}, {}).secret;
  const std::string id = jobs.add(new_job("o"), 10).job.id;
  jobs.reserve(id, {1, 1, 9}, 1, 10);
  jobs.begin(id);
  cache.put("results", {"a", "", {}, 1});
  const spdlog::level::level_enum level = spdlog::get_level();
  spdlog::set_level(spdlog::level::off);  // the warnings are expected
  {
    const Holder holder(options(), 60'000);
    EXPECT_TRUE(tokens.find(secret)) << "last_used_ms is to be written";
    for (int i = 0; i < 3; ++i) {
      now_ms_ += 1000;  // counts and progress are due
      EXPECT_TRUE(cache.find("results", "a"));
      EXPECT_NO_THROW(jobs.progress(id, i));
    }
    EXPECT_EQ(jobs.get(id).step, 2);
    EXPECT_EQ(error_of([&] { cache.evict("results"); }).code(), ErrorCode::kStoreError);
  }
  spdlog::set_level(level);
  EXPECT_EQ(cache.figures().at(0).hits, 3) << "no hit is lost";
}

TEST_P(DatabaseTest, AFullDiskLosesNothingThatWasThere) {
  if (!sqlite()) GTEST_SKIP() << "the server's disk is not ours to fill";
  JobStore store(database());
  store.add(new_job("o"), 10);
  NewJob large = new_job("o");
  large.job.request.assign(1'000'000, 'x');
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {600'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Error error = error_of([&] { store.add(large, 10); });
  const int64_t left = jobs();
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), ErrorCode::kDiskFull) << error.what();
  EXPECT_EQ(left, 1) << "still readable";
  EXPECT_NO_THROW(store.add(large, 10)) << "with space again";
  close();
  EXPECT_EQ(jobs(), 2);
}

TEST_P(DatabaseTest, ALostConnectionIsOpenedAgain) {
  if (sqlite()) GTEST_SKIP() << "there is none";
  JobStore store(database());
  store.add(new_job("o"), 10);
  EXPECT_EQ(store.list({}).size(), 1u);
  command(fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
                      schema_));
  EXPECT_EQ(error_of([&] { store.add(new_job("o"), 10); }).code(), ErrorCode::kStoreError);
  EXPECT_NO_THROW(store.add(new_job("o"), 10));
  EXPECT_EQ(error_of([&] { store.list({}); }).code(), ErrorCode::kStoreError);
  EXPECT_EQ(store.list({}).size(), 2u);
}

}  // namespace
}  // namespace snug
