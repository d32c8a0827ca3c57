// CSV as RFC 4180 has it: lines end with CR LF, a field with a comma, a quote or a line's end stands in
// quotes, a quote in it is doubled. Written by make_csv_writer; read here, for imports and tests.
//
// A text is never changed, also where a spreadsheet would take it for a formula ('=', '+', '-', '@' first):
// import such columns as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/run_record.h"

namespace snug {

void append_csv_field(std::string_view text, std::string& out);

// One record after the other of a text that outlives the reader. Also takes lines that end with LF alone, and
// a last line that does not end.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {}
  // nullopt at the end. Throws invalid_argument, with the line: a quote inside an unquoted field, something
  // behind a closing quote, a quote that is never closed.
  std::optional<std::vector<std::string>> next();
  int line() const { return line_; }

 private:
  std::string quoted_field();
  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

// What export_records wrote in this form, back: columns by the names in its header, those that are not a
// record's left out, but for "detail". Throws invalid_argument for what is no such table.
std::vector<RunRecord> records_from_csv(std::string_view text);

}  // namespace snug
