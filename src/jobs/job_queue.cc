// Who is next, and whether there is room: the part of JobStore that its scheduler calls.
#include <algorithm>
#include <deque>
#include <tuple>

#include "base/check.h"
#include "jobs/accounts.h"
#include "jobs/job_rows.h"
#include "jobs/job_store.h"
#include "jobs/run_record_rows.h"

namespace snug {
namespace {

// Of a job without a prediction, while the turns of those behind it are worked out.
constexpr double kAssumedSeconds = 10;

// attempts: one that has begun before its deadline goes on after it.
constexpr std::string_view kExpired = "state = 'queued' AND attempts = 0 AND deadline_ms <= ?";

struct Waiting {
  std::string id;
  int64_t priority = 0;
  double seconds = 0;  // predicted
};
// By owner, each in the order in which the owner's jobs come.
using WaitingByOwner = std::map<std::string, std::deque<Waiting>>;

// Each owner's next `most`: more of one are never taken.
WaitingByOwner select_waiting(Sql& sql, int most, int64_t now_ms) {
  WaitingByOwner waiting;
  for (SqlRow& row :
       sql.rows("SELECT owner, id, priority, planned_seconds FROM "
                "(SELECT owner, id, priority, planned_seconds, "
                "ROW_NUMBER() OVER (PARTITION BY owner ORDER BY priority DESC, id) AS place FROM job "
                "WHERE state = 'queued' AND (not_before_ms IS NULL OR not_before_ms <= ?) "
                "AND (deadline_ms IS NULL OR deadline_ms > ? OR attempts > 0)) AS ranked "
                "WHERE place <= ? ORDER BY owner, place",
                4, {now_ms, now_ms, int64_t{most}})) {
    std::deque<Waiting>& of_owner = waiting[row.text()];
    Waiting one;
    one.id = row.text();
    one.priority = row.integer();
    one.seconds = row.maybe_real().value_or(kAssumedSeconds);
    of_owner.push_back(std::move(one));
  }
  return waiting;
}

// The fair order, each job counted as its owner's use as soon as it is taken.
std::vector<std::string> take_in_turn(WaitingByOwner waiting, std::map<std::string, double> use, int most) {
  std::vector<std::string> taken;
  while (!waiting.empty() && std::ssize(taken) < most) {
    const auto key = [&](const auto& owner) {
      const Waiting& first = owner.second.front();
      return std::tuple(-first.priority, use[owner.first], first.id);
    };
    const auto next = std::min_element(waiting.begin(), waiting.end(),
                                       [&](const auto& a, const auto& b) { return key(a) < key(b); });
    use[next->first] += next->second.front().seconds;
    taken.push_back(std::move(next->second.front().id));
    next->second.pop_front();
    if (next->second.empty()) waiting.erase(next);
  }
  return taken;
}

std::vector<Job> expire(Sql& sql, int64_t now_ms) {
  std::vector<Job> expired = select_jobs(sql, std::string(kExpired) + " ORDER BY id", {now_ms});
  for (Job& job : expired) {
    job.state = JobState::kFailed;
    job.finished_ms = now_ms;
    job.failure = deadline_failure();
    sql.run("UPDATE job SET state = 'failed', finished_ms = ?, error_code = ?, error = ? WHERE id = ?",
            {now_ms, job.failure->code, failure_json(*job.failure), job.id});
    record_end(sql, job, JobState::kFailed, {}, now_ms);
  }
  return expired;
}

std::optional<int64_t> wake_time(Sql& sql, int64_t now_ms) {
  std::optional<int64_t> wake;
  for (const char* query :
       {"SELECT MIN(not_before_ms) FROM job WHERE state = 'queued' AND not_before_ms > ?",
        "SELECT MIN(deadline_ms) FROM job WHERE state = 'queued' AND attempts = 0 AND deadline_ms > ?"}) {
    std::optional<SqlRow> row = sql.row(query, 1, {now_ms});
    const std::optional<int64_t> time = row ? row->maybe_integer() : std::nullopt;
    if (time && (!wake || *time < *wake)) wake = time;
  }
  return wake;
}

}  // namespace

NextJobs JobStore::next(int most) {
  SNUG_CHECK(most > 0, "the next jobs are at least one");
  const int64_t now_ms = database_.now_ms();
  NextJobs next;
  // Looking is cheap and waits for nobody; most of the time nothing has expired.
  const bool any = database_.read([&](Sql& sql) {
    return sql.integer("SELECT COUNT(*) FROM job WHERE " + std::string(kExpired), {now_ms}) > 0;
  });
  if (any) next.expired = database_.write([&](Sql& sql) { return expire(sql, now_ms); });
  database_.read([&](Sql& sql) {
    for (const std::string& id : take_in_turn(select_waiting(sql, most, now_ms), uses(sql, now_ms), most)) {
      next.ready.push_back(require_job(sql, id));
    }
    next.wake_ms = wake_time(sql, now_ms);
  });
  return next;
}

Reservation JobStore::reserve(const std::string& id, const JobPlan& plan, int64_t bytes,
                              int64_t budget_bytes) {
  SNUG_CHECK(bytes >= 0 && plan.seconds >= 0, "a plan has figures");
  return database_.write([&](Sql& sql) {
    const Job job = require_job(sql, id);
    if (job.state != JobState::kQueued) return Reservation::kLost;
    const int64_t reserved =
        sql.integer("SELECT SUM(reserved_bytes) FROM job WHERE state IN ('planned', 'running')");
    if (bytes > budget_bytes - reserved) return Reservation::kNoRoom;
    sql.run(
        "UPDATE job SET state = 'planned', planned_peak_bytes = ?, planned_seconds = ?, reserved_bytes = ?, "
        "use_seconds = ?, steps = ?, not_before_ms = NULL WHERE id = ?",
        {plan.peak_bytes, plan.seconds, bytes, plan.seconds, int64_t{plan.steps}, id});
    add_use(sql, job.owner, plan.seconds, database_.now_ms());
    return Reservation::kReserved;
  });
}

QueueFigures JobStore::queue_figures(int64_t budget_bytes) {
  return database_.read([&](Sql& sql) {
    QueueFigures figures;
    figures.budget_bytes = budget_bytes;
    bool predicted = true;
    double wait = 0;
    for (SqlRow& row : sql.rows("SELECT state, COUNT(*), SUM(reserved_bytes), COUNT(planned_seconds), "
                                "SUM(CASE WHEN state = 'running' AND steps > 0 AND step < steps "
                                "THEN planned_seconds * (steps - step) / steps ELSE planned_seconds END) "
                                "FROM job WHERE state IN ('queued', 'planned', 'running') GROUP BY state",
                                5)) {
      const std::optional<JobState> state = job_state_named(row.text());
      const int64_t count = row.integer();
      figures.reserved_bytes += row.integer();
      predicted = predicted && row.integer() == count;
      wait += row.real();
      if (state == JobState::kQueued) figures.queued = count;
      if (state == JobState::kPlanned) figures.planned = count;
      if (state == JobState::kRunning) figures.running = count;
    }
    if (predicted) figures.wait_seconds = wait;
    return figures;
  });
}

}  // namespace snug
