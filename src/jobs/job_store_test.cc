// What goes into the store comes out of it, and every change of a job's state is the one that was asked for
// or none.
#include "jobs/job_store.h"

#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "jobs/blobs_in_use.h"
#include "jobs/store_fixture.h"
#include "jobs/token_store.h"

namespace snug {
namespace {

constexpr int64_t kBudget = 1000;
constexpr int64_t kManyJobs = 1'000'000;

class JobStoreTest : public StoreTest {
 protected:
  JobStore& store() {
    if (store_ == nullptr) store_ = std::make_unique<JobStore>(database());
    return *store_;
  }
  std::string add(const NewJob& added) { return store().add(added, kManyJobs).job.id; }
  void reserve(const std::string& id, int64_t bytes = 10) {
    ASSERT_EQ(store().reserve(id, {bytes, 2.5, 20}, bytes, kBudget), Reservation::kReserved);
  }
  // A new job that has come as far as `state`.
  std::string job_in(JobState state) {
    const std::string id = add(new_job("o"));
    if (state == JobState::kCancelled) store().request_cancel(id);
    if (state == JobState::kQueued || state == JobState::kCancelled) return id;
    reserve(id);
    if (state == JobState::kPlanned) return id;
    EXPECT_TRUE(store().begin(id));
    if (state == JobState::kDone) store().finish(id, {{picture_of("p")}, "{}", 1});
    if (state == JobState::kFailed) store().fail(id, {"io_error", "p", "f", "s", ""}, 1);
    return id;
  }
  std::unique_ptr<JobStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Databases, JobStoreTest, ::testing::ValuesIn(database_kinds()), kind_name);

TEST_P(JobStoreTest, AJobComesBackWholeAlsoAfterAReopening) {
  NewJob added = new_job("ow'ner; -- \"ü\"", -7);
  added.job.request = "{\"prompt\":\"ein Hügel ? :x 🏔 %_\\\\\"}";
  added.job.deadline_ms = std::numeric_limits<int64_t>::max();
  added.job.idempotency_key = "key";
  added.job.planned_peak_bytes = int64_t{1} << 40;
  added.job.planned_seconds = 0.125;
  added.job.pictures_asked = 4;
  added.job.steps = 25;
  added.job.previews = true;
  const Job as_added = store().add(added, kManyJobs).job;
  store_.reset();
  close();
  const Job job = store().get(as_added.id);
  EXPECT_EQ(job.id.size(), 26u);
  EXPECT_EQ(job.owner, added.job.owner);
  EXPECT_EQ(job.api, "native");
  EXPECT_EQ(job.state, JobState::kQueued);
  EXPECT_EQ(job.priority, -7);
  EXPECT_EQ(job.created_ms, kStartMs);
  EXPECT_EQ(job.deadline_ms, added.job.deadline_ms);
  EXPECT_EQ(job.request, added.job.request);
  EXPECT_EQ(job.address, "address");
  EXPECT_EQ(job.idempotency_key, "key");
  EXPECT_EQ(job.planned_peak_bytes, int64_t{1} << 40);
  EXPECT_EQ(job.planned_seconds, 0.125);
  EXPECT_EQ(job.pictures_asked, 4);
  EXPECT_EQ(job.steps, 25);
  EXPECT_TRUE(job.previews);
  EXPECT_FALSE(job.started_ms || job.finished_ms || job.not_before_ms || job.failure);
}

TEST_P(JobStoreTest, AResultComesBackWhole) {
  const std::string id = job_in(JobState::kRunning);
  JobPicture second = picture_of("b", std::numeric_limits<int64_t>::max());
  second.seed = std::numeric_limits<uint64_t>::max();
  second.format = PictureFormat::kWebp;
  now_ms_ += 5000;
  ASSERT_TRUE(store().finish(id, {{picture_of("a"), second}, R"({"ok":true})", 4.5}));
  const Job job = store().get(id);
  EXPECT_EQ(job.state, JobState::kDone);
  EXPECT_EQ(job.started_ms, kStartMs);
  EXPECT_EQ(job.finished_ms, kStartMs + 5000);
  EXPECT_EQ(job.report, R"({"ok":true})");
  EXPECT_EQ(job.step, 20);
  EXPECT_EQ(job.reserved_bytes, 0);
  ASSERT_EQ(job.pictures.size(), 2u);
  EXPECT_EQ(job.pictures[0].blob, "a");
  EXPECT_EQ(job.pictures[1].bytes, second.bytes);
  EXPECT_EQ(job.pictures[1].seed, second.seed);
  EXPECT_EQ(job.pictures[1].format, PictureFormat::kWebp);
  EXPECT_EQ(job.pictures[1].width, 64);
}

TEST_P(JobStoreTest, AJobThatTheCacheHadIsDoneAtOnceAndCharged) {
  NewJob added = new_job("o");
  added.job.state = JobState::kDone;
  added.job.from_cache = true;
  added.job.report = "{}";
  added.job.pictures = {picture_of("a", 40)};
  const Job job = store().get(store().add(added, 0).job.id);
  EXPECT_TRUE(job.from_cache);
  EXPECT_EQ(job.finished_ms, kStartMs);
  ASSERT_EQ(job.pictures.size(), 1u);
  TokenStore tokens(database());
  ASSERT_EQ(tokens.usage("o", 9).size(), 1u);
  EXPECT_EQ(tokens.usage("o", 9)[0].bytes, 40);
}

TEST_P(JobStoreTest, TheSameKeyAndRequestIsTheSameJobAndAnotherRequestAConflict) {
  NewJob added = new_job("o");
  added.job.idempotency_key = "k";
  const AddedJob first = store().add(added, 1);
  EXPECT_FALSE(first.was_there);
  const AddedJob again = store().add(added, 1);  // also when the queue is full
  EXPECT_TRUE(again.was_there);
  EXPECT_EQ(again.job.id, first.job.id);
  NewJob other_owner = added;
  other_owner.job.owner = "p";
  EXPECT_FALSE(store().add(other_owner, kManyJobs).was_there);
  added.job.request_digest = "another";
  EXPECT_EQ(error_of([&] { store().add(added, kManyJobs); }).code(), ErrorCode::kConflict);
  EXPECT_NE(add(new_job("o")), add(new_job("o"))) << "no key, no match";
}

TEST_P(JobStoreTest, AFullQueueRefusesAndHasRoomAgainWhenOneLeaves) {
  const std::string id = store().add(new_job("o"), 2).job.id;
  store().add(new_job("o"), 2);
  EXPECT_EQ(error_of([&] { store().add(new_job("p"), 2); }).code(), ErrorCode::kQueueFull);
  reserve(id);
  EXPECT_NO_THROW(store().add(new_job("p"), 2));
}

TEST_P(JobStoreTest, TextThatIsNotUtf8IsRefusedWhole) {
  for (const std::string& bad : {std::string("\xff"), std::string("a\0b", 3)}) {
    NewJob added = new_job("o");
    added.inputs = {"input", bad};
    EXPECT_EQ(error_of([&] { add(added); }).code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(store().counts().empty());
  EXPECT_TRUE(blobs_in_use(database()).empty());
  NewJob added = new_job("o");
  added.prompt = std::string("zero\0byte", 9);  // which a prompt may have
  EXPECT_NO_THROW(add(added));
}

TEST_P(JobStoreTest, ChangesHappenFromTheirStatesAndFromNoOther) {
  using States = std::set<JobState>;
  struct Change {
    std::string name;
    States from;
    std::function<bool(const std::string&)> happens;
    JobState to;
  };
  const JobFailure failure{"io_error", "p", "f", "s", ""};
  const std::vector<Change> changes = {
      {"reserve",
       {JobState::kQueued},
       [&](const std::string& id) {
         return store().reserve(id, {1, 1, 1}, 1, kBudget) == Reservation::kReserved;
       },
       JobState::kPlanned},
      {"put_back",
       {JobState::kPlanned},
       [&](const std::string& id) { return store().put_back(id).has_value(); },
       JobState::kQueued},
      {"begin",
       {JobState::kPlanned},
       [&](const std::string& id) { return store().begin(id).has_value(); },
       JobState::kRunning},
      {"checkpoint",
       {JobState::kRunning},
       [&](const std::string& id) { return store().checkpoint(id, "c", 3).has_value(); },
       JobState::kRunning},
      {"finish",
       {JobState::kRunning},
       [&](const std::string& id) {
         return store().finish(id, {{picture_of("p")}, "{}", 1}).has_value();
       },
       JobState::kDone},
      {"fail",
       {JobState::kQueued, JobState::kPlanned, JobState::kRunning},
       [&](const std::string& id) { return store().fail(id, failure, 1).has_value(); },
       JobState::kFailed},
      {"retry",
       {JobState::kPlanned, JobState::kRunning},
       [&](const std::string& id) { return store().retry(id, failure, 1, kStartMs + 1).has_value(); },
       JobState::kQueued},
      {"interrupt",
       {JobState::kPlanned, JobState::kRunning},
       [&](const std::string& id) { return store().interrupt(id, 1).has_value(); },
       JobState::kQueued},
      {"cancelled",
       {JobState::kPlanned, JobState::kRunning},
       [&](const std::string& id) { return store().cancelled(id, 1).has_value(); },
       JobState::kCancelled},
  };
  for (const Change& change : changes) {
    for (int i = 0; i <= static_cast<int>(JobState::kCancelled); ++i) {
      const auto state = static_cast<JobState>(i);
      const std::string id = job_in(state),
                        what = change.name + " from " + std::string(job_state_name(state));
      const bool allowed = change.from.contains(state);
      EXPECT_EQ(change.happens(id), allowed) << what;
      const Job job = store().get(id);
      EXPECT_EQ(job.state, allowed ? change.to : state) << what;
      EXPECT_EQ(job.finished_ms.has_value(), has_ended(job.state)) << what;
      if (job.state != JobState::kPlanned && job.state != JobState::kRunning) {
        EXPECT_EQ(job.reserved_bytes, 0) << what;
      }
      if (!has_ended(job.state)) store().fail(id, failure, 0);
    }
    EXPECT_EQ(error_of([&] { change.happens("none"); }).code(), ErrorCode::kNotFound) << change.name;
  }
  EXPECT_EQ(store().queue_figures(kBudget).reserved_bytes, 0);
}

TEST_P(JobStoreTest, CancellingEndsAQueuedJobAndAsksForTheOthers) {
  EXPECT_EQ(store().request_cancel(job_in(JobState::kQueued)).state, JobState::kCancelled);
  for (const JobState state : {JobState::kPlanned, JobState::kRunning}) {
    const Job job = store().request_cancel(job_in(state));
    EXPECT_EQ(job.state, state);
    EXPECT_TRUE(job.cancel_requested);
  }
  for (const JobState state : {JobState::kDone, JobState::kFailed}) {
    const Job job = store().request_cancel(job_in(state));
    EXPECT_EQ(job.state, state);
    EXPECT_FALSE(job.cancel_requested);
  }
  EXPECT_EQ(error_of([&] { store().request_cancel("none"); }).code(), ErrorCode::kNotFound);
}

TEST_P(JobStoreTest, AJobToBeCancelledGetsNoOtherTurn) {
  const std::string planned = job_in(JobState::kPlanned), retried = job_in(JobState::kRunning),
                    finished = job_in(JobState::kRunning);
  for (const std::string& id : {planned, retried, finished}) store().request_cancel(id);
  EXPECT_EQ(store().begin(planned)->state, JobState::kCancelled);
  EXPECT_EQ(store().interrupt(retried, 1)->state, JobState::kCancelled);
  EXPECT_EQ(store().finish(finished, {{picture_of("p")}, "{}", 1})->state, JobState::kDone);
}

TEST_P(JobStoreTest, ARetryKeepsCheckpointAndFailureAndWaits) {
  const std::string id = job_in(JobState::kRunning);
  ASSERT_EQ(store().checkpoint(id, "one", 5), "");
  ASSERT_EQ(store().checkpoint(id, "two", 9), "one") << "nothing names it any more";
  const Job job = *store().retry(id, {"out_of_memory", "no memory", "wait", "load", "[1]"}, 2, kStartMs + 10);
  EXPECT_EQ(job.checkpoint, "two");
  EXPECT_EQ(job.checkpoint_step, 9);
  EXPECT_EQ(job.step, 9);
  EXPECT_EQ(job.attempts, 1);
  ASSERT_TRUE(job.failure);
  EXPECT_EQ(job.failure->code, "out_of_memory");
  EXPECT_EQ(job.failure->problem, "no memory");
  EXPECT_EQ(job.failure->ways_out, "[1]");
  EXPECT_TRUE(store().next(5).ready.empty());
  EXPECT_EQ(store().next(5).wake_ms, kStartMs + 10);
  now_ms_ += 10;
  ASSERT_EQ(store().next(5).ready.size(), 1u);
  reserve(id);
  EXPECT_EQ(store().begin(id)->attempts, 2);
  const Job done = *store().finish(id, {{picture_of("p")}, "{}", 1});
  EXPECT_FALSE(done.failure) << "it went well in the end";
  EXPECT_TRUE(done.checkpoint.empty());
}

TEST_P(JobStoreTest, ProgressIsSeenAtOnceAndWrittenOnceASecond) {
  const std::string id = job_in(JobState::kRunning);
  JobStore elsewhere(database());  // sees what is written
  store().progress(id, 3);
  EXPECT_EQ(store().get(id).step, 3);
  EXPECT_EQ(store().list({}).at(0).step, 3);
  EXPECT_EQ(elsewhere.get(id).step, 0);
  now_ms_ += 1000;
  store().progress(id, 4);
  EXPECT_EQ(elsewhere.get(id).step, 4);
  store().fail(id, {"io_error", "p", "f", "s", ""}, 1);
  now_ms_ += 1000;
  store().progress(id, 5);  // of an engine that has not heard yet
  EXPECT_EQ(store().get(id).step, 4);
}

TEST_P(JobStoreTest, RecoveryQueuesWhatRanWithItsCheckpoint) {
  const std::string queued = job_in(JobState::kQueued), planned = job_in(JobState::kPlanned),
                    running = job_in(JobState::kRunning), unwanted = job_in(JobState::kRunning),
                    done = job_in(JobState::kDone);
  store().checkpoint(running, "c", 7);
  store().request_cancel(unwanted);
  store_.reset();
  close();
  const Recovered recovered = store().recover();
  EXPECT_EQ(recovered.queued, 2);
  EXPECT_EQ(recovered.cancelled, 1);
  for (const std::string& id : {queued, planned, running}) {
    EXPECT_EQ(store().get(id).state, JobState::kQueued);
  }
  EXPECT_EQ(store().get(running).checkpoint, "c");
  EXPECT_EQ(store().get(running).step, 7);
  EXPECT_EQ(store().get(unwanted).state, JobState::kCancelled);
  EXPECT_EQ(store().get(done).state, JobState::kDone);
  EXPECT_EQ(store().queue_figures(kBudget).reserved_bytes, 0);
}

TEST_P(JobStoreTest, OneServiceAtATime) {
  store().recover();
  Database second(options());
  JobStore other(second);
  EXPECT_EQ(error_of([&] { other.recover(); }).code(), ErrorCode::kConflict);
  EXPECT_NO_THROW(other.list({})) << "others may look";
  store_.reset();
  close();
  EXPECT_NO_THROW(other.recover());
}

TEST_P(JobStoreTest, ListsAreFilteredAndPagedNewestFirst) {
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) ids.push_back(add(new_job(i % 2 == 0 ? "even" : "odd")));
  JobQuery query;
  query.limit = 3;
  std::vector<std::string> seen;
  for (std::vector<Job> page = store().list(query); !page.empty(); page = store().list(query)) {
    EXPECT_LE(page.size(), 3u);
    for (const Job& job : page) seen.push_back(job.id);
    query.before = page.back().id;
    add(new_job("even"));  // comes before the first page: later ones do not shift
  }
  EXPECT_EQ(seen, std::vector<std::string>(ids.rbegin(), ids.rend()));
  JobQuery odd;
  odd.owner = "odd";
  EXPECT_EQ(store().list(odd).size(), 3u);
  store().request_cancel(ids[1]);
  odd.state = JobState::kCancelled;
  ASSERT_EQ(store().list(odd).size(), 1u);
  EXPECT_EQ(store().list(odd)[0].id, ids[1]);
}

TEST_P(JobStoreTest, SearchTakesWordsLiterally) {
  const auto with_prompt = [&](const std::string& prompt) {
    NewJob added = new_job("o");
    added.prompt = prompt;
    return add(added);
  };
  const std::string boat = with_prompt("A red Sailboat, 100% wood_en"), hill = with_prompt("a red hill! Ü");
  const auto found = [&](const std::string& search) {
    JobQuery query;
    query.search = search;
    std::set<std::string> ids;
    for (const Job& job : store().list(query)) ids.insert(job.id);
    return ids;
  };
  using Ids = std::set<std::string>;
  EXPECT_EQ(found("RED"), (Ids{boat, hill}));
  EXPECT_EQ(found("boat red"), Ids{boat}) << "all words, in any order";
  EXPECT_EQ(found("100%"), Ids{boat});
  EXPECT_EQ(found("%"), Ids{boat});
  EXPECT_EQ(found("d_e"), Ids{boat});
  EXPECT_EQ(found("d_n"), Ids{});
  EXPECT_EQ(found("hill!"), Ids{hill});
  EXPECT_EQ(found("Ü"), Ids{hill});
  EXPECT_EQ(found("' OR 1=1 --"), Ids{});
}

TEST_P(JobStoreTest, FiguresAreOfTheQueue) {
  NewJob added = new_job("o");
  added.job.planned_seconds = 4;
  add(added);
  const std::string running = job_in(JobState::kRunning);  // 2.5 s, 20 steps
  store().checkpoint(running, "c", 10);
  job_in(JobState::kPlanned);
  job_in(JobState::kDone);
  const QueueFigures figures = store().queue_figures(kBudget);
  EXPECT_EQ(figures.queued, 1);
  EXPECT_EQ(figures.planned, 1);
  EXPECT_EQ(figures.running, 1);
  EXPECT_EQ(figures.reserved_bytes, 20);
  EXPECT_EQ(figures.budget_bytes, kBudget);
  ASSERT_TRUE(figures.wait_seconds);
  EXPECT_DOUBLE_EQ(*figures.wait_seconds, 4 + 2.5 / 2 + 2.5);
  add(new_job("o"));
  EXPECT_FALSE(store().queue_figures(kBudget).wait_seconds) << "one has no prediction";
  EXPECT_EQ(
      store().counts(),
      (std::map<JobState, int64_t>{
          {JobState::kQueued, 2}, {JobState::kPlanned, 1}, {JobState::kRunning, 1}, {JobState::kDone, 1}}));
}

TEST_P(JobStoreTest, OldJobsAreForgottenWithTheirPicturesAndNoOthers) {
  const std::string done = job_in(JobState::kDone), queued = job_in(JobState::kQueued);
  now_ms_ += 1000;
  const std::string later = job_in(JobState::kFailed);
  EXPECT_EQ(blobs_in_use(database()).count("p"), 1u);
  EXPECT_EQ(store().forget_ended(kStartMs + 500, 10), 1);
  EXPECT_EQ(error_of([&] { store().get(done); }).code(), ErrorCode::kNotFound);
  EXPECT_NO_THROW(store().get(queued));
  EXPECT_NO_THROW(store().get(later));
  EXPECT_EQ(blobs_in_use(database()).count("p"), 0u);
}

TEST_P(JobStoreTest, BlobsOfJobsAreInUse) {
  NewJob added = new_job("o");
  added.inputs = {"input", "input", "mask"};
  const std::string id = add(added);
  reserve(id);
  store().begin(id);
  store().checkpoint(id, "checkpoint", 1);
  EXPECT_EQ(blobs_in_use(database()), (std::unordered_set<std::string>{"input", "mask", "checkpoint"}));
  store().finish(id, {{picture_of("picture")}, "{}", 1});
  EXPECT_EQ(blobs_in_use(database()), (std::unordered_set<std::string>{"input", "mask", "picture"}));
}

}  // namespace
}  // namespace snug
