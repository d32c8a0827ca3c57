// kill -9 in the middle of transactions: what was acknowledged is there, and nothing is there by half.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "jobs/blob_store.h"
#include "jobs/blobs_in_use.h"
#include "jobs/job_store.h"
#include "jobs/store_fixture.h"
#include "media/picture_bytes.h"

namespace snug {
namespace {

constexpr int kKills = 25;
constexpr int64_t kBudget = 100;

class JobCrash : public StoreTest {};

INSTANTIATE_TEST_SUITE_P(Databases, JobCrash, ::testing::ValuesIn(database_kinds()), kind_name);

// What a service does, as fast as it can. Each acknowledged job's id goes to `acknowledged` as one write.
[[noreturn]] void serve(const DatabaseOptions& options, const std::string& blob_folder, int acknowledged) {
  try {
    Database database(options);
    JobStore store(database);
    BlobStore blobs(blob_folder);
    store.recover();
    std::minstd_rand random(static_cast<unsigned>(::getpid()));
    while (true) {
      const std::string id = store.add(new_job("o"), 1'000'000).job.id;
      if (::write(acknowledged, (id + "q").data(), id.size() + 1) < 0) std::_Exit(1);
      for (const Job& job : store.next(2).ready) {
        if (store.reserve(job.id, {60, 1, 4}, 60, kBudget) != Reservation::kReserved) continue;
        if (!store.begin(job.id)) continue;
        const std::string checkpoint = blobs.put(as_bytes("checkpoint of " + job.id));
        store.checkpoint(job.id, checkpoint, 2);
        if (random() % 4 == 0) continue;  // leave it running
        const std::string blob = blobs.put(as_bytes("picture of " + job.id));
        store.finish(job.id, {{picture_of(blob), picture_of(blob)}, "{}", 0.5});
        if (::write(acknowledged, (job.id + "d").data(), job.id.size() + 1) < 0) std::_Exit(1);
        break;
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "the child failed: %s\n", error.what());
  }
  std::_Exit(1);
}

struct Moment {
  int lines = 0;              // after so many acknowledgements, however long they take,
  unsigned microseconds = 0;  // and this long
};

// Lets a child serve and kills it; adds what it acknowledged: 'q' queued, 'd' done, by id.
void serve_and_kill(const DatabaseOptions& options, const std::string& blob_folder, Moment moment,
                    std::map<std::string, char>* acknowledged) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) serve(options, blob_folder, ends[1]);
  ::close(ends[1]);
  char line[27];
  const auto read_line = [&] {
    if (::read(ends[0], line, sizeof(line)) != sizeof(line)) return false;
    (*acknowledged)[std::string(line, 26)] = line[26];
    return true;
  };
  for (int i = 0; i < moment.lines && read_line(); ++i) {
  }
  ::usleep(moment.microseconds);
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself";
  while (read_line()) {
  }
  ::close(ends[0]);
}

void check(JobStore& store, const BlobStore& blobs, const std::map<std::string, char>& acknowledged) {
  int64_t reserved = 0;
  std::set<std::string> ids;
  JobQuery query;
  query.limit = 500;
  for (std::vector<Job> page = store.list(query); !page.empty(); page = store.list(query)) {
    for (const Job& job : page) {
      ids.insert(job.id);
      const bool done = job.state == JobState::kDone, held = !done && job.state != JobState::kQueued;
      EXPECT_EQ(job.pictures.size(), done ? 2u : 0u) << job.id;
      EXPECT_EQ(job.report, done ? "{}" : "") << job.id;
      EXPECT_EQ(job.reserved_bytes, held ? 60 : 0) << job.id;
      EXPECT_EQ(job.checkpoint.empty(), job.checkpoint_step == 0) << job.id;
      reserved += job.reserved_bytes;
      for (const JobPicture& picture : job.pictures) EXPECT_NO_THROW(blobs.get(picture.blob)) << job.id;
      if (!job.checkpoint.empty()) {
        EXPECT_NO_THROW(blobs.get(job.checkpoint)) << job.id;
      }
      const auto said = acknowledged.find(job.id);
      if (said != acknowledged.end() && said->second == 'd') {
        EXPECT_TRUE(done) << job.id;
      }
    }
    query.before = page.back().id;
  }
  EXPECT_LE(reserved, kBudget);
  for (const auto& [id, said] : acknowledged) EXPECT_TRUE(ids.contains(id)) << id << " is lost";
}

TEST_P(JobCrash, KilledAtAnyMomentNothingIsLostOrHalf) {
  const std::string blob_folder = folder_.path("blobs");
  std::minstd_rand random(6);
  const auto below = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  std::map<std::string, char> acknowledged;
  DatabaseOptions plain = options();
  plain.now_ms = nullptr;
  for (int i = 0; i < kKills && !HasFailure(); ++i) {
    // Every third time while the tables are made or jobs recovered.
    const Moment moment =
        i % 3 == 0 ? Moment{0, below(15'000)} : Moment{static_cast<int>(below(8)), below(5'000)};
    serve_and_kill(plain, blob_folder, moment, &acknowledged);
    Database database(plain);
    JobStore store(database);
    const BlobStore blobs(blob_folder);
    check(store, blobs, acknowledged);
    store.recover();
    const std::map<JobState, int64_t> counts = store.counts();
    EXPECT_FALSE(counts.contains(JobState::kPlanned) || counts.contains(JobState::kRunning));
  }
  EXPECT_GT(acknowledged.size(), 20u) << "the children came to work";
}

}  // namespace
}  // namespace snug
