#include "monitor/exports/export_samples.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "monitor/exports/export_row.h"

namespace snug {
namespace {

void add(ExportRow& row, const FieldSummary& field, double number) {
  if (field.count > 0) {
    row.values.emplace_back(number);
  } else {
    row.values.emplace_back();
  }
}

// So short that single samples of the shortest useful interval are within kMostHistoryRows.
constexpr int64_t kPageMs = 3'600'000;

// Of least and most: the table's columns are views.
const std::vector<std::string>& extremes() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const SampleFieldInfo& info : sample_fields()) {
      names.push_back(fmt::format("{}_least", info.name));
      names.push_back(fmt::format("{}_most", info.name));
    }
    return names;
  }();
  return kNames;
}

ExportTable table_of(bool with_extremes) {
  ExportTable table{.measurement = "snug_sample",
                    .index = "snug-samples",
                    .columns = {"time_ms", "resolution", "samples"},
                    .tags = {"resolution"},
                    .documents = {},
                    .times_are_unique = true};
  for (const SampleFieldInfo& info : sample_fields()) table.columns.push_back(info.name);
  if (with_extremes) table.columns.insert(table.columns.end(), extremes().begin(), extremes().end());
  return table;
}

ExportRow row_of(const SampleSummary& summary, Resolution resolution, bool with_extremes) {
  const std::string name = resolution_name(resolution);
  ExportRow row{.id = fmt::format("{}-{}", name, summary.start_ms),
                .time_ms = summary.start_ms,
                .values = {summary.start_ms, name, summary.samples}};
  for (const FieldSummary& field : summary.fields) add(row, field, field.mean);
  if (!with_extremes) return row;
  for (const FieldSummary& field : summary.fields) {
    add(row, field, field.least);
    add(row, field, field.most);
  }
  return row;
}

}  // namespace

int64_t export_samples(ExportForm form, SampleStore& store, const SampleExport& what, const TextSink& sink,
                       const Cancellation* cancellation) {
  if (form == ExportForm::kOtlp) {
    throw Error(ErrorCode::kUnsupported, "samples are no traces",
                "choose json, csv, influx or elasticsearch");
  }
  PieceWriter pieces(sink);
  const std::unique_ptr<RowWriter> writer = make_row_writer(form, table_of(what.with_extremes));
  writer->begin(pieces.out());
  int64_t count = 0;
  int64_t last_ms = -1;
  for (int64_t from_ms = what.from_ms - what.from_ms % kPageMs; from_ms < what.to_ms; from_ms += kPageMs) {
    if (cancellation != nullptr) cancellation->check();
    // A point for each millisecond: nothing is merged.
    const SampleHistory history = store.history({.from_ms = from_ms,
                                                 .to_ms = std::min(from_ms + kPageMs, what.to_ms),
                                                 .most_points = kPageMs,
                                                 .fields = {}});
    for (const SampleSummary& summary : history.points) {
      if (summary.start_ms <= last_ms) continue;  // the summary of a day comes with each of its hours
      last_ms = summary.start_ms;
      writer->row(row_of(summary, history.resolution, what.with_extremes), pieces.out());
      pieces.pass_on();
      ++count;
    }
  }
  writer->end(pieces.out());
  pieces.flush();
  return count;
}

}  // namespace snug
