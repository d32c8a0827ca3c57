#include "monitor/exports/csv.h"

#include <algorithm>
#include <charconv>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "monitor/exports/export_row.h"

namespace snug {
namespace {

class CsvWriter final : public RowWriter {
 public:
  explicit CsvWriter(ExportTable table) : table_(std::move(table)) {}
  void begin(std::string& out) override {
    for (size_t i = 0; i < table_.columns.size(); ++i) {
      if (i > 0) out += ',';
      append_csv_field(table_.columns[i], out);
    }
    out += "\r\n";
  }
  void row(const ExportRow& row, std::string& out) override {
    SNUG_CHECK(row.values.size() == table_.columns.size(), "a row has a value for each column");
    for (size_t i = 0; i < row.values.size(); ++i) {
      if (i > 0) out += ',';
      const ExportValue& value = row.values[i];
      if (!is_known(value)) continue;
      if (const auto* const text = std::get_if<std::string>(&value)) {
        append_csv_field(*text, out);
      } else if (const auto* const number = std::get_if<double>(&value)) {
        append_number(*number, out);
      } else {
        append_json(value, out);
      }
    }
    out += "\r\n";
  }
  void end(std::string& /*out*/) override {}

 private:
  const ExportTable table_;
};

[[noreturn]] void refuse(int line, const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, fmt::format("line {} of the CSV: {}", line, problem),
              "take the file as `snug export --format csv` wrote it");
}

template <typename Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// False where the text is none of the column's kind.
template <class T>
bool take(const std::string& text, T& place) {
  if constexpr (std::is_same_v<T, std::string>) {
    place = text;
    return true;
  } else if constexpr (std::is_same_v<T, bool>) {
    place = text == "true";
    return place || text == "false";
  } else if constexpr (std::is_same_v<T, std::optional<int64_t>> ||
                       std::is_same_v<T, std::optional<double>>) {
    return parse(text, place.emplace());
  } else {
    return parse(text, place);
  }
}

void take_column(RunRecord& record, std::string_view name, const std::string& text, int line) {
  if (text.empty()) return;  // not known, as the record begins
  if (name == "detail") {
    record.detail = text;
    return;
  }
  const auto columns = record_columns();
  const auto column =
      std::find_if(columns.begin(), columns.end(), [&](const auto& c) { return c.name == name; });
  if (column == columns.end()) return;
  const bool is_taken = std::visit([&](auto member) { return take(text, record.*member); }, column->member);
  if (!is_taken) refuse(line, fmt::format("'{}' is no value of {}", text, name));
}

}  // namespace

void append_csv_field(std::string_view text, std::string& out) {
  // A field of spaces at its ends is quoted too: some readers trim.
  const bool is_plain = text.find_first_of(",\"\r\n") == std::string_view::npos &&
                        (text.empty() || (text.front() != ' ' && text.back() != ' '));
  if (is_plain) {
    out += text;
    return;
  }
  out += '"';
  for (const char letter : text) {
    if (letter == '"') out += '"';
    out += letter;
  }
  out += '"';
}

std::string CsvReader::quoted_field() {
  const int begin = line_;
  std::string field;
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '\n') ++line_;
    if (text_[at_] != '"') {
      field += text_[at_];
    } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
      field += text_[at_++];
    } else {
      ++at_;
      if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\r' && text_[at_] != '\n')
        refuse(line_, "something stands behind a closing quote");
      return field;
    }
  }
  refuse(begin, "a quote is not closed");
}

std::optional<std::vector<std::string>> CsvReader::next() {
  if (at_ >= text_.size()) return std::nullopt;
  std::vector<std::string> fields;
  while (true) {
    if (at_ < text_.size() && text_[at_] == '"') {
      fields.push_back(quoted_field());
    } else {
      const size_t end = std::min(text_.find_first_of(",\"\r\n", at_), text_.size());
      if (end < text_.size() && text_[end] == '"') refuse(line_, "a quote stands inside a field");
      fields.emplace_back(text_.substr(at_, end - at_));
      at_ = end;
    }
    if (at_ < text_.size() && text_[at_] == ',') {
      ++at_;
      continue;
    }
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size()) {
      if (text_[at_] != '\n') refuse(line_, "a carriage return stands alone");
      ++at_;
    }
    ++line_;
    return fields;
  }
}

std::vector<RunRecord> records_from_csv(std::string_view text) {
  CsvReader reader(text);
  const std::optional<std::vector<std::string>> header = reader.next();
  if (!header || std::find(header->begin(), header->end(), "id") == header->end())
    refuse(1, "its header has no column id");
  std::vector<RunRecord> records;
  while (true) {
    const int line = reader.line();
    const std::optional<std::vector<std::string>> fields = reader.next();
    if (!fields) return records;
    if (fields->size() != header->size())
      refuse(line, fmt::format("has {} fields, the header {}", fields->size(), header->size()));
    RunRecord& record = records.emplace_back();
    for (size_t i = 0; i < fields->size(); ++i) take_column(record, (*header)[i], (*fields)[i], line);
  }
}

std::unique_ptr<RowWriter> make_csv_writer(ExportTable table) {
  return std::make_unique<CsvWriter>(std::move(table));
}

}  // namespace snug
