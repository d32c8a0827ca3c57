#include "monitor/analysis/run_analyst.h"

#include <chrono>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "jobs/run_record_rows.h"
#include "monitor/analysis/bottlenecks.h"

namespace snug {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr double kBusyLookSeconds = 0.5;

void keep(Sql& sql, const RunRecord& record, const std::vector<Bottleneck>& found, int64_t now_ms) {
  sql.run("DELETE FROM bottleneck WHERE run = ?", {record.id});
  int64_t number = 0;
  for (const Bottleneck& bottleneck : found) {
    sql.run(
        "INSERT INTO bottleneck (run, number, at_ms, kind, severity, share, description, recommendation, "
        "evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {record.id, number++, record.finished_ms.value_or(now_ms),
         std::string(bottleneck_kind_name(bottleneck.kind)), bottleneck.severity, bottleneck.share,
         bottleneck.description, bottleneck.recommendation,
         bottleneck.evidence.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)});
  }
  sql.run("UPDATE run_record SET analysed_ms = ? WHERE id = ?", {now_ms, record.id});
}

}  // namespace

int64_t analyse_ended_runs(Database& database, const MachinePeaks& peaks, int64_t most) {
  const std::vector<std::string> ids = database.read([&](Sql& sql) {
    std::vector<std::string> oldest;
    for (SqlRow& row :
         sql.rows("SELECT id FROM run_record WHERE analysed_ms IS NULL AND finished_ms IS NOT NULL "
                  "ORDER BY finished_ms LIMIT ?",
                  1, {most}))
      oldest.push_back(row.text());
    return oldest;
  });
  int64_t analysed = 0;
  for (const std::string& id : ids) {
    const std::optional<RunRecord> record = database.read([&](Sql& sql) { return find_record(sql, id); });
    if (!record) continue;  // removed meanwhile
    const std::vector<Bottleneck> found = bottlenecks_of(*record, peaks);
    database.write([&](Sql& sql) { keep(sql, *record, found, database.now_ms()); });
    ++analysed;
  }
  return analysed;
}

RunAnalyst::RunAnalyst(Database& database, AnalystOptions options)
    : database_(database), options_(std::move(options)), thread_([this] { work(); }) {}

RunAnalyst::~RunAnalyst() {
  {
    const std::scoped_lock lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void RunAnalyst::wake() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

int64_t RunAnalyst::analysed() const {
  const std::scoped_lock lock(mutex_);
  return analysed_;
}

void RunAnalyst::work() {
  Stopwatch since_look;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, Seconds(options_.look_seconds), [&] { return woken_ || stops_; });
      woken_ = false;
      while (!stops_ && options_.is_busy && options_.is_busy() &&
             since_look.seconds() < options_.most_wait_seconds)
        changed_.wait_for(lock, Seconds(kBusyLookSeconds), [&] { return stops_; });
      if (stops_) return;
    }
    const bool done = look();
    since_look = Stopwatch();
    if (done) continue;
    const std::scoped_lock lock(mutex_);
    woken_ = true;
  }
}

bool RunAnalyst::look() {
  try {
    const MachinePeaks peaks = options_.peaks();
    // One at a time, so that a stop, and a run that begins, need not wait for a batch.
    for (int64_t i = 0; i < options_.batch; ++i) {
      if (analyse_ended_runs(database_, peaks, 1) == 0) return true;
      const std::scoped_lock lock(mutex_);
      ++analysed_;
      if (stops_) return true;
    }
    return false;
  } catch (const std::exception& error) {
    // The records stay as they are, for the next look.
    log::event(log::Level::kWarn, "analysis", {{"problem", error.what()}});
    return true;
  }
}

}  // namespace snug
