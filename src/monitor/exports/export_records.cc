#include "monitor/exports/export_records.h"

#include <array>
#include <memory>
#include <type_traits>
#include <utility>
#include <variant>

#include "monitor/exports/export_row.h"
#include "monitor/exports/otlp_writer.h"

namespace snug {
namespace {

template <class T>
ExportValue value_of(const T& value) {
  return value;
}
template <class T>
ExportValue value_of(const std::optional<T>& value) {
  return value.has_value() ? ExportValue(*value) : ExportValue();
}

ExportTable table_of(const RecordExportOptions& options) {
  ExportTable table{.measurement = "snug_run",
                    .index = "snug-runs",
                    .columns = {},
                    .tags = {"architecture", "kind", "model", "state"},
                    .documents = {"detail"},
                    .times_are_unique = false};
  for (const RecordColumn& column : record_columns()) table.columns.push_back(column.name);
  if (options.with_detail) table.columns.emplace_back("detail");
  if (options.with_prompts) table.columns.emplace_back("prompt");
  return table;
}

ExportRow row_of(const ExportedRun& run, const RecordExportOptions& options) {
  const RunRecord& record = run.record;
  ExportRow row{.id = record.id, .time_ms = record.finished_ms.value_or(record.created_ms), .values = {}};
  for (const RecordColumn& column : record_columns()) {
    row.values.push_back(std::visit([&](auto member) { return value_of(record.*member); }, column.member));
  }
  if (options.with_detail) row.values.emplace_back(record.detail);
  if (options.with_prompts) row.values.push_back(value_of(run.prompt));
  return row;
}

int64_t export_traces(const RunSource& source, const RecordExportOptions& options, PieceWriter& pieces) {
  int64_t count = 0;
  for (ExportedRun run; source(run); ++count) {
    if (!options.with_detail) run.record.detail.clear();
    if (!options.with_prompts) run.prompt.reset();
    append_trace(run, pieces.out());
    pieces.pass_on();
  }
  return count;
}

}  // namespace

int64_t export_records(ExportForm form, const RunSource& source, const RecordExportOptions& options,
                       const TextSink& sink) {
  PieceWriter pieces(sink);
  int64_t count = 0;
  if (form == ExportForm::kOtlp) {
    count = export_traces(source, options, pieces);
  } else {
    const std::unique_ptr<RowWriter> writer = make_row_writer(form, table_of(options));
    writer->begin(pieces.out());
    for (ExportedRun run; source(run); ++count) {
      writer->row(row_of(run, options), pieces.out());
      pieces.pass_on();
    }
    writer->end(pieces.out());
  }
  pieces.flush();
  return count;
}

}  // namespace snug
