#include "bench/table.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "base/byte_source.h"
#include "base/check.h"
#include "base/error.h"
#include "base/units.h"
#include "media/atomic_file.h"

namespace snug::bench {
namespace {

constexpr uint64_t kMostDocumentBytes = 4 * kMiB;

// Characters, not bytes: every byte of UTF-8 that continues none begins one.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

}  // namespace

Table::Table(std::vector<std::string> titles) { rows_.push_back(std::move(titles)); }

void Table::add(std::vector<std::string> cells) {
  SNUG_CHECK(cells.size() == rows_.front().size(), "a cell for each title");
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line = row[0];
    size_t end = widths[0];
    for (size_t i = 1; i < row.size(); ++i) {
      end += 2 + widths[i];
      const size_t begin = end - width_of(row[i]);
      line.append(begin - width_of(line), ' ');
      line += row[i];
    }
    text += line + "\n";
  }
  return text;
}

std::string Table::markdown() const {
  std::string text;
  for (size_t r = 0; r < rows_.size(); ++r) {
    text += fmt::format("| {} |\n", fmt::join(rows_[r], " | "));
    if (r > 0) continue;
    text += "|---|";
    for (size_t i = 1; i < rows_[0].size(); ++i) text += "---:|";
    text += "\n";
  }
  return text;
}

std::string fill_section(const std::string& document, const std::string& section, const std::string& body) {
  const std::string opening = fmt::format("<!-- made by ./dev bench {} -->\n", section);
  const std::string closing = "<!-- end -->";
  const size_t begin = document.find(opening);
  const size_t end = begin == std::string::npos ? begin : document.find(closing, begin);
  if (end == std::string::npos) {
    throw Error(ErrorCode::kInvalidArgument, "the document has no place for " + section,
                fmt::format("put these two lines into it: {}{}", opening, closing));
  }
  return document.substr(0, begin + opening.size()) + body + document.substr(end);
}

void fill_section_of_file(const std::string& path, const std::string& section, const std::string& body) {
  const std::string text = fill_section(read_text(*open_file(path), kMostDocumentBytes), section, body);
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace snug::bench
