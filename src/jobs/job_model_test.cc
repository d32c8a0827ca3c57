// Random sequences of operations on the store and on a plain model of it in memory, which is written from
// job_store.h alone: after each operation both say the same.
#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "jobs/job_store.h"
#include "jobs/store_fixture.h"

namespace snug {
namespace {

constexpr int64_t kBudget = 100, kMostQueued = 6;
constexpr int kOperations = 1000;

struct ModelJob {
  std::string owner, key, digest, checkpoint;
  JobState state = JobState::kQueued;
  int priority = 0, attempts = 0, step = 0, checkpoint_step = 0, pictures = 0;
  int64_t reserved = 0;
  std::optional<int64_t> not_before_ms, deadline_ms;
  bool cancel_requested = false;
  std::string failure;

  void end(JobState ended) {
    state = ended;
    reserved = 0;
    checkpoint.clear();
    checkpoint_step = 0;
    not_before_ms.reset();
  }
  void queue_again(std::optional<int64_t> not_before) {
    if (cancel_requested) return end(JobState::kCancelled);
    state = JobState::kQueued;
    reserved = 0;
    step = checkpoint_step;
    not_before_ms = not_before;
  }
  bool held() const { return state == JobState::kPlanned || state == JobState::kRunning; }
};

class JobModel : public StoreTest {
 protected:
  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  std::string any_id() {
    if (model_.empty()) return {};
    auto at = model_.begin();
    // Most often one of the newest.
    std::advance(at, std::max<int64_t>(0, std::ssize(model_) - 1 - draw(8)));
    return at->first;
  }

  void add();
  void reserve(const std::string& id);
  void begin(const std::string& id);
  void checkpoint(const std::string& id);
  void progress(const std::string& id);
  void finish(const std::string& id);
  void fail(const std::string& id);
  void go_back(const std::string& id);
  void cancel(const std::string& id);
  void next();
  void restart();
  void compare();
  void step();

  std::mt19937 random_{1};
  std::map<std::string, ModelJob> model_;
  std::unique_ptr<JobStore> store_;
};

INSTANTIATE_TEST_SUITE_P(Databases, JobModel, ::testing::ValuesIn(database_kinds()), kind_name);

void JobModel::add() {
  NewJob added = new_job(std::string(1, static_cast<char>('a' + draw(3))), draw(2));
  if (draw(2) == 0) added.job.idempotency_key = std::to_string(draw(4));
  added.job.request_digest = std::to_string(draw(2));
  if (draw(4) == 0) added.job.deadline_ms = now_ms_ + draw(200);
  const auto same = std::find_if(model_.begin(), model_.end(), [&](const auto& job) {
    return !job.second.key.empty() && job.second.key == added.job.idempotency_key &&
           job.second.owner == added.job.owner;
  });
  const int64_t queued = std::count_if(model_.begin(), model_.end(),
                                       [](const auto& job) { return job.second.state == JobState::kQueued; });
  std::optional<ErrorCode> refusal;
  if (same != model_.end() && same->second.digest != added.job.request_digest) refusal = ErrorCode::kConflict;
  if (same == model_.end() && queued >= kMostQueued) refusal = ErrorCode::kQueueFull;
  if (refusal) {
    EXPECT_EQ(error_of([&] { store_->add(added, kMostQueued); }).code(), *refusal);
    return;
  }
  const AddedJob result = store_->add(added, kMostQueued);
  EXPECT_EQ(result.was_there, same != model_.end());
  if (same != model_.end()) {
    EXPECT_EQ(result.job.id, same->first);
    return;
  }
  ModelJob& job = model_[result.job.id];
  job.owner = added.job.owner;
  job.key = added.job.idempotency_key;
  job.digest = added.job.request_digest;
  job.priority = added.job.priority;
  job.deadline_ms = added.job.deadline_ms;
}

void JobModel::reserve(const std::string& id) {
  ModelJob& job = model_[id];
  const int64_t bytes = 1 + draw(60);
  int64_t reserved = 0;
  for (const auto& [other, held] : model_) reserved += held.reserved;
  const Reservation expected = job.state != JobState::kQueued ? Reservation::kLost
                               : reserved + bytes > kBudget   ? Reservation::kNoRoom
                                                              : Reservation::kReserved;
  EXPECT_EQ(store_->reserve(id, {bytes, 1, 9}, bytes, kBudget), expected);
  if (expected != Reservation::kReserved) return;
  job.state = JobState::kPlanned;
  job.reserved = bytes;
  job.not_before_ms.reset();
}

void JobModel::begin(const std::string& id) {
  ModelJob& job = model_[id];
  EXPECT_EQ(store_->begin(id).has_value(), job.state == JobState::kPlanned);
  if (job.state != JobState::kPlanned) return;
  if (job.cancel_requested) return job.end(JobState::kCancelled);
  if (job.attempts == 0 && job.deadline_ms && *job.deadline_ms <= now_ms_) {
    job.failure = "deadline_exceeded";
    return job.end(JobState::kFailed);
  }
  job.state = JobState::kRunning;
  ++job.attempts;
  job.step = job.checkpoint_step;
}

void JobModel::checkpoint(const std::string& id) {
  ModelJob& job = model_[id];
  const int at = job.step;
  const std::string blob = id + std::to_string(draw(1000));
  const std::optional<std::string> freed = store_->checkpoint(id, blob, at);
  EXPECT_EQ(freed.has_value(), job.state == JobState::kRunning);
  if (!freed) return;
  EXPECT_EQ(*freed, blob == job.checkpoint ? "" : job.checkpoint);
  job.checkpoint = blob;
  job.checkpoint_step = at;
}

void JobModel::progress(const std::string& id) {
  ModelJob& job = model_[id];
  now_ms_ += draw(2) * 1000;  // written, or in memory only
  store_->progress(id, job.step + 1);
  if (job.state == JobState::kRunning) ++job.step;
}

void JobModel::finish(const std::string& id) {
  ModelJob& job = model_[id];
  EXPECT_EQ(store_->finish(id, {{picture_of("a"), picture_of("b")}, "{}", 1}).has_value(),
            job.state == JobState::kRunning);
  if (job.state != JobState::kRunning) return;
  job.end(JobState::kDone);
  job.pictures = 2;
  job.step = 9;
  job.failure.clear();
}

void JobModel::fail(const std::string& id) {
  ModelJob& job = model_[id];
  EXPECT_EQ(store_->fail(id, {"io_error", "p", "f", "s", ""}, 1).has_value(), !has_ended(job.state));
  if (has_ended(job.state)) return;
  job.failure = "io_error";
  job.end(JobState::kFailed);
}

void JobModel::go_back(const std::string& id) {
  ModelJob& job = model_[id];
  const bool held = job.held();
  const int64_t later_ms = now_ms_ + draw(50);
  switch (draw(3)) {
    case 0:
      EXPECT_EQ(store_->put_back(id).has_value(), job.state == JobState::kPlanned);
      if (job.state == JobState::kPlanned) job.queue_again({});
      break;
    case 1:
      EXPECT_EQ(store_->interrupt(id, 1).has_value(), held);
      if (held) job.queue_again({});
      break;
    default:
      EXPECT_EQ(store_->retry(id, {"out_of_memory", "p", "f", "s", ""}, 1, later_ms).has_value(), held);
      if (held) job.failure = "out_of_memory";
      if (held) job.queue_again(later_ms);
  }
}

void JobModel::cancel(const std::string& id) {
  ModelJob& job = model_[id];
  if (draw(2) == 0) {
    store_->request_cancel(id);
    if (!has_ended(job.state)) job.cancel_requested = true;
    if (job.state == JobState::kQueued) job.end(JobState::kCancelled);
  } else {
    EXPECT_EQ(store_->cancelled(id, 0).has_value(), job.held());
    if (job.held()) job.end(JobState::kCancelled);
  }
}

void JobModel::next() {
  now_ms_ += draw(40);
  std::vector<std::string> expired, ready;
  for (auto& [id, job] : model_) {
    if (job.state != JobState::kQueued) continue;
    if (job.attempts == 0 && job.deadline_ms && *job.deadline_ms <= now_ms_) {
      job.failure = "deadline_exceeded";
      job.end(JobState::kFailed);
      expired.push_back(id);
    } else if (!job.not_before_ms || *job.not_before_ms <= now_ms_) {
      ready.push_back(id);
    }
  }
  const NextJobs next = store_->next(100);
  std::vector<std::string> got_ready, got_expired;
  for (const Job& job : next.expired) got_expired.push_back(job.id);
  for (const Job& job : next.ready) got_ready.push_back(job.id);
  EXPECT_EQ(got_expired, expired);
  // The order between owners is job_queue_test's; that of priorities, and within one owner, is checked here.
  for (size_t i = 0; i + 1 < got_ready.size(); ++i) {
    EXPECT_GE(model_[got_ready[i]].priority, model_[got_ready[i + 1]].priority);
    for (size_t k = i + 1; k < got_ready.size(); ++k) {
      const ModelJob &first = model_[got_ready[i]], &later = model_[got_ready[k]];
      if (first.owner == later.owner && first.priority == later.priority) {
        EXPECT_LT(got_ready[i], got_ready[k]);
      }
    }
  }
  std::sort(got_ready.begin(), got_ready.end());
  EXPECT_EQ(got_ready, ready);
}

void JobModel::restart() {
  store_.reset();
  close();
  store_ = std::make_unique<JobStore>(database());
  Recovered expected;
  for (auto& [id, job] : model_) {
    if (!job.held()) continue;
    ++(job.cancel_requested ? expected.cancelled : expected.queued);
    job.queue_again({});
  }
  const Recovered recovered = store_->recover();
  EXPECT_EQ(recovered.queued, expected.queued);
  EXPECT_EQ(recovered.cancelled, expected.cancelled);
}

void JobModel::compare() {
  JobQuery all;
  all.limit = 500;
  const std::vector<Job> jobs = store_->list(all);
  ASSERT_EQ(jobs.size(), model_.size());
  auto expected = model_.rbegin();
  for (const Job& job : jobs) {
    const auto& [id, model] = *expected++;
    ASSERT_EQ(job.id, id);
    EXPECT_EQ(job.state, model.state);
    EXPECT_EQ(job.owner, model.owner);
    EXPECT_EQ(job.attempts, model.attempts);
    EXPECT_EQ(job.reserved_bytes, model.reserved);
    EXPECT_EQ(job.step, model.step);
    EXPECT_EQ(job.checkpoint, model.checkpoint);
    EXPECT_EQ(job.checkpoint_step, model.checkpoint_step);
    EXPECT_EQ(job.not_before_ms, model.not_before_ms);
    EXPECT_EQ(job.cancel_requested, model.cancel_requested);
    EXPECT_EQ(std::ssize(job.pictures), model.pictures);
    EXPECT_EQ(job.failure ? job.failure->code : "", model.failure);
    EXPECT_EQ(job.finished_ms.has_value(), has_ended(model.state));
  }
}

void JobModel::step() {
  const int operation = draw(20);
  const std::string id = any_id();
  if (operation < 5 || id.empty()) return add();
  switch (operation) {
    case 5:
    case 6:
    case 7: return reserve(id);
    case 8:
    case 9:
    case 10: return begin(id);
    case 11: return progress(id);
    case 12: return checkpoint(id);
    case 13:
    case 14: return finish(id);
    case 15: return fail(id);
    case 16: return go_back(id);
    case 17: return cancel(id);
    case 18: return next();
    default: return draw(4) == 0 ? restart() : next();
  }
}

TEST_P(JobModel, TheStoreDoesWhatItsModelDoes) {
  store_ = std::make_unique<JobStore>(database());
  for (int i = 0; i < kOperations && !HasFailure(); ++i) {
    step();
    compare();
    if (HasFailure()) ADD_FAILURE() << "at operation " << i;
  }
  std::map<JobState, int> reached;
  for (const auto& [id, job] : model_) ++reached[job.state];
  EXPECT_GE(reached.size(), 4u) << "the sequence came around";
}

}  // namespace
}  // namespace snug
