#include "monitor/exports/export_row.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// One line, whatever the texts are.
std::string one_line(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

class JsonWriter final : public RowWriter {
 public:
  explicit JsonWriter(ExportTable table) : table_(std::move(table)) {}
  void begin(std::string& out) override { out += "["; }
  void row(const ExportRow& row, std::string& out) override {
    out += is_first_ ? "\n{" : ",\n{";
    append_json_members(table_, row, out);
    out += "}";
    is_first_ = false;
  }
  void end(std::string& out) override { out += "\n]\n"; }

 private:
  const ExportTable table_;
  bool is_first_ = true;
};

// https://www.elastic.co/guide/en/elasticsearch/reference/current/docs-bulk.html: an action and a document,
// each on a line. "index" with an identity replaces what is there, so that an import can be repeated.
class ElasticsearchWriter final : public RowWriter {
 public:
  explicit ElasticsearchWriter(ExportTable table) : table_(std::move(table)) {}
  void begin(std::string& /*out*/) override {}
  void row(const ExportRow& row, std::string& out) override {
    out += R"({"index":{"_index":)";
    append_json_text(table_.index, out);
    out += R"(,"_id":)";
    append_json_text(row.id, out);
    out += "}}\n{\"@timestamp\":";
    append_json_text(iso_time(row.time_ms), out);
    out += ",";
    append_json_members(table_, row, out);
    out += "}\n";
  }
  void end(std::string& /*out*/) override {}

 private:
  const ExportTable table_;
};

}  // namespace

bool is_known(const ExportValue& value) {
  if (const auto* const text = std::get_if<std::string>(&value)) return !text->empty();
  if (const auto* const number = std::get_if<double>(&value)) return std::isfinite(*number);
  return !std::holds_alternative<std::monostate>(value);
}

void append_number(double number, std::string& out) { fmt::format_to(std::back_inserter(out), "{}", number); }

void append_json_text(std::string_view text, std::string& out) { out += one_line(ordered_json(text)); }

void append_json(const ExportValue& value, std::string& out) {
  if (!is_known(value)) {
    out += "null";
  } else if (const auto* const truth = std::get_if<bool>(&value)) {
    out += *truth ? "true" : "false";
  } else if (const auto* const integer = std::get_if<int64_t>(&value)) {
    fmt::format_to(std::back_inserter(out), "{}", *integer);
  } else if (const auto* const number = std::get_if<double>(&value)) {
    // With a point also where it is whole: whoever guesses types from the first row guesses right.
    out += ordered_json(*number).dump();
  } else {
    append_json_text(std::get<std::string>(value), out);
  }
}

void append_json_members(const ExportTable& table, const ExportRow& row, std::string& out) {
  SNUG_CHECK(row.values.size() == table.columns.size(), "a row has a value for each column");
  for (size_t i = 0; i < row.values.size(); ++i) {
    const std::string_view name = table.columns[i];
    fmt::format_to(std::back_inserter(out), "{}\"{}\":", i == 0 ? "" : ",", name);
    const bool is_document =
        std::find(table.documents.begin(), table.documents.end(), name) != table.documents.end();
    if (is_document && is_known(row.values[i])) {
      const ordered_json document = ordered_json::parse(std::get<std::string>(row.values[i]), nullptr, false);
      out += document.is_discarded() ? "null" : one_line(document);
    } else {
      append_json(row.values[i], out);
    }
  }
}

std::string iso_time(int64_t time_ms) {
  int64_t milliseconds = time_ms % 1000;
  if (milliseconds < 0) milliseconds += 1000;
  const auto seconds = static_cast<time_t>((time_ms - milliseconds) / 1000);
  std::tm parts = {};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, milliseconds);
}

int64_t nanoseconds_of(int64_t time_ms) {
  constexpr int64_t kMost = 9'200'000'000'000;
  return std::clamp(time_ms, -kMost, kMost) * 1'000'000;
}

std::unique_ptr<RowWriter> make_json_writer(ExportTable table) {
  return std::make_unique<JsonWriter>(std::move(table));
}

std::unique_ptr<RowWriter> make_elasticsearch_writer(ExportTable table) {
  return std::make_unique<ElasticsearchWriter>(std::move(table));
}

std::unique_ptr<RowWriter> make_row_writer(ExportForm form, ExportTable table) {
  if (form == ExportForm::kJson) return make_json_writer(std::move(table));
  if (form == ExportForm::kCsv) return make_csv_writer(std::move(table));
  if (form == ExportForm::kInflux) return make_influx_writer(std::move(table));
  SNUG_CHECK(form == ExportForm::kElasticsearch, "traces are no table");
  return make_elasticsearch_writer(std::move(table));
}

}  // namespace snug
