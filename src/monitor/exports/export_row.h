// What the forms that are tables have in common: a row is a time, an identity and named values. Records
// (export_records.h) and samples (export_samples.h) are turned into rows, and a RowWriter into text; neither
// knows of the other.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "monitor/exports/export_form.h"

namespace snug {

// monostate: not known. An empty text and a number that is not finite are not known either.
using ExportValue = std::variant<std::monostate, bool, int64_t, double, std::string>;

struct ExportRow {
  std::string id;  // unique in its table, the same in every export: a second import replaces the first
  int64_t time_ms = 0;
  std::vector<ExportValue> values;  // as many as the table has columns
};

// What a table of rows is called where it goes. All views outlive the writer.
struct ExportTable {
  std::string_view measurement;             // of InfluxDB: "snug_run"
  std::string_view index;                   // of Elasticsearch: "snug-runs"
  std::vector<std::string_view> columns;    // names, in order
  std::vector<std::string_view> tags;       // columns by which InfluxDB groups: few values each
  std::vector<std::string_view> documents;  // columns whose text is JSON: nested where a form can
  bool times_are_unique = false;            // else InfluxDB's points are kept apart by identity
};

// Writes rows in their order. Not safe from several threads.
class RowWriter {
 public:
  RowWriter() = default;
  virtual ~RowWriter() = default;
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

  virtual void begin(std::string& out) = 0;
  virtual void row(const ExportRow& row, std::string& out) = 0;
  virtual void end(std::string& out) = 0;
};

// Not for otlp, which is no table.
std::unique_ptr<RowWriter> make_row_writer(ExportForm form, ExportTable table);
std::unique_ptr<RowWriter> make_json_writer(ExportTable table);
std::unique_ptr<RowWriter> make_csv_writer(ExportTable table);
std::unique_ptr<RowWriter> make_influx_writer(ExportTable table);
std::unique_ptr<RowWriter> make_elasticsearch_writer(ExportTable table);

// Appends `value` as JSON: null where it is not known. A text that is not UTF-8 has its bad bytes replaced.
void append_json(const ExportValue& value, std::string& out);
void append_json_text(std::string_view text, std::string& out);
// {"name":value,...}, without the braces.
void append_json_members(const ExportTable& table, const ExportRow& row, std::string& out);
// The shortest text that reads back as the same number.
void append_number(double number, std::string& out);
bool is_known(const ExportValue& value);
// "2026-11-22T08:30:00.125Z"
std::string iso_time(int64_t time_ms);
// The years 1678 to 2261 fit in; what is outside becomes the nearest of them.
int64_t nanoseconds_of(int64_t time_ms);

// Hands text on in pieces of some size: a sink may be a system call.
class PieceWriter {
 public:
  explicit PieceWriter(const TextSink& sink) : sink_(sink) {}
  std::string& out() { return text_; }
  // After each row.
  void pass_on() {
    if (text_.size() >= kPieceBytes) flush();
  }
  void flush() {
    if (!text_.empty()) sink_(text_);
    text_.clear();
  }

 private:
  static constexpr size_t kPieceBytes = 64 << 10;
  const TextSink& sink_;
  std::string text_;
};

}  // namespace snug
