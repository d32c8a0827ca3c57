// What a report says, before it is Markdown or HTML: sections of paragraphs, tables and one chart of jobs by
// hour. Called by report_text.cc alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace snug {

struct ReportTable {
  std::vector<std::string> heads;
  std::vector<std::vector<std::string>> rows;  // as many cells as heads
};

// A bar for each hour.
struct ReportHours {
  std::vector<int64_t> hours_ms;
  std::vector<int64_t> done, failed;  // jobs
};

struct ReportSection {
  std::string title;
  std::vector<std::string> paragraphs;
  ReportTable table;  // without heads: none
  ReportHours hours;  // empty: none
};

struct ReportDocument {
  std::string title, time;
  std::vector<ReportSection> sections;
};

ReportDocument report_document(const nlohmann::ordered_json& report);

}  // namespace snug
