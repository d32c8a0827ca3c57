// InfluxDB's line protocol, https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/:
//
//   measurement,tag=value field=1i,other=2.5,text="quoted" 1795305600000000000
//
// In names and tags commas, equals signs and spaces have a backslash before them, in texts quotes and
// backslashes. The protocol has no line's end inside a value: it is written as a backslash and an n, as
// InfluxDB's own clients do. A text that a tag cannot hold (a line's end; a backslash at its end, which would
// take the comma behind it along) is a field of that point.
//
// Points with equal tags and times are one point to InfluxDB, and jobs that a cache answers end in the same
// millisecond. So the nanoseconds below the millisecond, which are not measured, are made from the row's
// identity; where two meet, the later row takes the next that is free.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "monitor/exports/export_row.h"

namespace snug {
namespace {

constexpr int64_t kNanosecondsOfMs = 1'000'000;

void append_escaped(std::string_view text, std::string_view special, std::string& out) {
  for (const char letter : text) {
    if (letter == '\n') {
      out += "\\n";
      continue;
    }
    if (special.find(letter) != std::string_view::npos) out += '\\';
    out += letter;
  }
}

bool can_be_tag(std::string_view text) {
  return text.find_first_of("\r\n\t") == std::string_view::npos && text.back() != '\\';
}

// FNV-1a, by G. Fowler, L. C. Noll and K.-P. Vo: the same everywhere and for ever, which std::hash is not.
uint64_t digest(std::string_view text) {
  uint64_t hash = 14695981039346656037u;
  for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 1099511628211u;
  return hash;
}

class InfluxWriter final : public RowWriter {
 public:
  explicit InfluxWriter(ExportTable table) : table_(std::move(table)) {
    // Sorted, as the documentation advises.
    std::sort(table_.tags.begin(), table_.tags.end());
    for (const std::string_view tag : table_.tags) {
      const auto found = std::find(table_.columns.begin(), table_.columns.end(), tag);
      SNUG_CHECK(found != table_.columns.end(), "a tag is a column");
      tag_columns_.push_back(static_cast<size_t>(found - table_.columns.begin()));
    }
  }

  void begin(std::string& /*out*/) override {}
  void row(const ExportRow& row, std::string& out) override {
    SNUG_CHECK(row.values.size() == table_.columns.size(), "a row has a value for each column");
    append_escaped(table_.measurement, ", ", out);
    for (const size_t column : tag_columns_) {
      if (!is_tag(row, column)) continue;
      fmt::format_to(std::back_inserter(out), ",{}=", table_.columns[column]);
      append_escaped(std::get<std::string>(row.values[column]), ",= ", out);
    }
    char before = ' ';
    for (size_t i = 0; i < row.values.size(); ++i) {
      if (!is_known(row.values[i]) || is_tag(row, i)) continue;
      out += std::exchange(before, ',');
      append_escaped(table_.columns[i], ",= ", out);
      out += '=';
      append_value(row.values[i], out);
    }
    SNUG_CHECK(before == ',', "a point has a field");
    fmt::format_to(std::back_inserter(out), " {}\n", nanoseconds(row));
  }
  void end(std::string& /*out*/) override {}

 private:
  bool is_tag(const ExportRow& row, size_t column) const {
    if (std::find(tag_columns_.begin(), tag_columns_.end(), column) == tag_columns_.end()) return false;
    const auto* const text = std::get_if<std::string>(&row.values[column]);
    return text != nullptr && !text->empty() && can_be_tag(*text);
  }

  static void append_value(const ExportValue& value, std::string& out) {
    if (const auto* const text = std::get_if<std::string>(&value)) {
      out += '"';
      append_escaped(*text, "\"\\", out);
      out += '"';
    } else if (const auto* const number = std::get_if<double>(&value)) {
      append_number(*number, out);
    } else {
      append_json(value, out);
      if (std::holds_alternative<int64_t>(value)) out += 'i';
    }
  }

  int64_t nanoseconds(const ExportRow& row) {
    if (table_.times_are_unique) return nanoseconds_of(row.time_ms);
    if (row.time_ms != last_ms_ || taken_.size() == kNanosecondsOfMs) taken_.clear();
    last_ms_ = row.time_ms;
    auto below = static_cast<int64_t>(digest(row.id) % kNanosecondsOfMs);
    while (!taken_.insert(below).second) below = (below + 1) % kNanosecondsOfMs;
    return nanoseconds_of(row.time_ms) + below;
  }

  ExportTable table_;
  std::vector<size_t> tag_columns_;
  int64_t last_ms_ = 0;
  std::set<int64_t> taken_;  // of the last millisecond
};

}  // namespace

std::unique_ptr<RowWriter> make_influx_writer(ExportTable table) {
  return std::make_unique<InfluxWriter>(std::move(table));
}

}  // namespace snug
