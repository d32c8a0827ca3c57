#include "monitor/analysis/window_bottlenecks.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr size_t kWorst = 3;

// Adds findings up by kind.
// NOLINTNEXTLINE(bugprone-exception-escape): as Bottleneck
class Adding {
 public:
  void add_job(double total_seconds) {
    ++window.analysed;
    window.total_seconds += total_seconds;
  }

  void add(BottleneckKind kind, WorstRun run, std::string recommendation) {
    WindowBottleneck& own = kinds_[static_cast<size_t>(kind)];
    own.total.kind = kind;
    own.total.seconds += run.seconds;
    ++own.runs;
    if (own.worst.empty() || run.seconds > own.worst.front().seconds)
      own.total.recommendation = std::move(recommendation);
    const auto place =
        std::upper_bound(own.worst.begin(), own.worst.end(), run,
                         [](const WorstRun& a, const WorstRun& b) { return a.seconds > b.seconds; });
    own.worst.insert(place, std::move(run));
    if (own.worst.size() > kWorst) own.worst.pop_back();
  }

  // Of the worst, which alone are shown.
  void read_texts(Sql& sql) {
    for (WindowBottleneck& own : kinds_) {
      for (WorstRun& run : own.worst) {
        auto row = sql.row("SELECT description, recommendation FROM bottleneck WHERE run = ? AND kind = ?", 2,
                           {run.id, std::string(bottleneck_kind_name(own.total.kind))});
        if (!row) continue;
        run.description = row->text();
        if (&run == &own.worst.front()) own.total.recommendation = row->text();
      }
    }
  }

  WindowBottlenecks finish() {
    for (WindowBottleneck& own : kinds_) {
      if (own.runs == 0 || window.total_seconds <= 0) continue;
      Bottleneck& total = own.total;
      total.share = std::clamp(total.seconds / window.total_seconds, 0.0, 1.0);
      if (total.share < kLeastShare) continue;
      total.severity = severity_of(total.kind, total.share);
      total.description = fmt::format(
          "{} took {} of the {} of {} jobs, {:.0f} %; it was found in {} of them. "
          "Most of it: {}",
          bottleneck_kind_name(total.kind), format_seconds(total.seconds),
          format_seconds(window.total_seconds), window.analysed, 100 * total.share, own.runs,
          own.worst.front().description);
      total.evidence = evidence(own);
      window.found.push_back(std::move(own));
    }
    std::stable_sort(
        window.found.begin(), window.found.end(),
        [](const WindowBottleneck& a, const WindowBottleneck& b) { return stands_before(a.total, b.total); });
    return std::move(window);
  }

  WindowBottlenecks window;

 private:
  ordered_json evidence(const WindowBottleneck& own) const {
    ordered_json worst = ordered_json::array();
    for (const WorstRun& run : own.worst) {
      worst.push_back(
          {{"id", run.id}, {"share", run.share}, {"seconds", run.seconds}, {"description", run.description}});
    }
    return {{"analysed_runs", window.analysed},
            {"total_seconds", window.total_seconds},
            {"worst_runs", std::move(worst)}};
  }

  std::array<WindowBottleneck, kBottleneckKinds> kinds_;
};

std::optional<BottleneckKind> kind_of(const std::string& name) {
  for (size_t kind = 0; kind < kBottleneckKinds; ++kind)
    if (name == bottleneck_kind_name(static_cast<BottleneckKind>(kind)))
      return static_cast<BottleneckKind>(kind);
  return std::nullopt;  // of a later program
}

}  // namespace

WindowBottlenecks window_bottlenecks(const std::vector<RunRecord>& records, const MachinePeaks& peaks) {
  Adding adding;
  for (const RunRecord& record : records) {
    if (record.cached || !record.finished_ms || record.total_seconds.value_or(0) <= 0) continue;
    adding.add_job(*record.total_seconds);
    for (Bottleneck& found : bottlenecks_of(record, peaks))
      adding.add(found.kind, {record.id, found.share, found.seconds, std::move(found.description)},
                 std::move(found.recommendation));
  }
  return adding.finish();
}

WindowBottlenecks read_window_bottlenecks(Database& database, int64_t from_ms, int64_t to_ms) {
  Adding adding;
  database.read([&](Sql& sql) {
    if (auto row = sql.row("SELECT SUM(CASE WHEN analysed_ms IS NULL THEN 0 ELSE 1 END), "
                           "SUM(CASE WHEN analysed_ms IS NULL THEN 1 ELSE 0 END), "
                           "SUM(CASE WHEN analysed_ms IS NULL THEN 0 ELSE total_seconds END) FROM run_record "
                           "WHERE finished_ms >= ? AND finished_ms < ? AND cached = 0 AND total_seconds > 0",
                           3, {from_ms, to_ms})) {
      adding.window.analysed = row->integer();
      adding.window.not_analysed = row->integer();
      adding.window.total_seconds = row->real();
    }
    // Sums are of all; texts only of those that could be among the worst: a week may have 100 000 findings.
    for (SqlRow& row : sql.rows("SELECT b.run, b.kind, b.share, b.share * r.total_seconds FROM bottleneck b "
                                "JOIN run_record r ON r.id = b.run WHERE b.at_ms >= ? AND b.at_ms < ? "
                                "AND r.cached = 0 AND r.total_seconds > 0 ORDER BY b.at_ms, b.run",
                                4, {from_ms, to_ms})) {
      WorstRun run;
      run.id = row.text();
      const std::optional<BottleneckKind> kind = kind_of(row.text());
      run.share = row.real();
      run.seconds = row.real();
      if (kind) adding.add(*kind, std::move(run), {});
    }
    adding.read_texts(sql);
  });
  return adding.finish();
}

ordered_json to_json(const WindowBottlenecks& window) {
  ordered_json list = ordered_json::array();
  for (const WindowBottleneck& found : window.found) {
    ordered_json json = to_json(found.total);
    json.erase("phase");
    json["runs"] = found.runs;
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace snug
