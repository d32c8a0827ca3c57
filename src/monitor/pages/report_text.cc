#include "monitor/pages/report_text.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "monitor/exports/export_row.h"
#include "monitor/pages/page_json.h"
#include "monitor/pages/report_sections.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "th,td{border-bottom:1px solid #ddd;padding:.25rem .75rem;text-align:left}"
    ".done{fill:#3a7}.failed{fill:#c33}";

constexpr double kChartWidth = 720, kChartHeight = 120;

std::string html_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

// One line, and nothing that Markdown would take for its own.
std::string markdown_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      escaped += ' ';
      continue;
    }
    if (std::string_view("|\\`*_<[").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string row = "|";
  for (const std::string& cell : cells) row += " " + markdown_escaped(cell) + " |";
  return row + "\n";
}

std::string markdown_hours(const ReportHours& hours) {
  std::string text;
  for (size_t i = 0; i < hours.hours_ms.size(); ++i) {
    if (hours.done[i] == 0 && hours.failed[i] == 0) continue;
    text += markdown_row({iso_time(hours.hours_ms[i]).substr(0, 16), std::to_string(hours.done[i]),
                          std::to_string(hours.failed[i])});
  }
  return text.empty() ? text : "\n| hour (UTC) | done | failed |\n|---|---|---|\n" + text;
}

// Bars over time, failed ones on top of those that are done.
std::string svg_hours(const ReportHours& hours) {
  int64_t most = 0;
  for (size_t i = 0; i < hours.done.size(); ++i) most = std::max(most, hours.done[i] + hours.failed[i]);
  if (most == 0) return {};
  const double width = kChartWidth / static_cast<double>(hours.done.size());
  const double unit = kChartHeight / static_cast<double>(most);
  std::string bars;
  for (size_t i = 0; i < hours.done.size(); ++i) {
    const double done = unit * static_cast<double>(hours.done[i]);
    const double failed = unit * static_cast<double>(hours.failed[i]);
    const auto bar = [&](std::string_view kind, double below, double height) {
      if (height <= 0) return;
      bars += fmt::format(R"(<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>)", kind,
                          width * static_cast<double>(i), kChartHeight - below - height, width * 0.9, height);
    };
    bar("done", 0, done);
    bar("failed", done, failed);
  }
  return fmt::format(
      R"(<svg viewBox="0 0 {} {}" width="{}" role="img" aria-label="jobs by hour"><title>jobs by hour, at most {}</title>{}</svg>)",
      kChartWidth, kChartHeight, kChartWidth, most, bars);
}

std::string html_table(const ReportTable& table) {
  if (table.heads.empty()) return {};
  std::string text = "<table><tr>";
  for (const std::string& head : table.heads) text += "<th>" + html_escaped(head) + "</th>";
  text += "</tr>\n";
  for (const auto& row : table.rows) {
    text += "<tr>";
    for (const std::string& cell : row) text += "<td>" + html_escaped(cell) + "</td>";
    text += "</tr>\n";
  }
  return text + "</table>\n";
}

}  // namespace

std::string performance_markdown(const ordered_json& report) {
  const ReportDocument document = report_document(report);
  std::string text = fmt::format("# {}\n\nMade {}.\n", document.title, document.time);
  for (const ReportSection& section : document.sections) {
    text += fmt::format("\n## {}\n", section.title);
    for (const std::string& paragraph : section.paragraphs) text += "\n" + markdown_escaped(paragraph) + "\n";
    text += markdown_hours(section.hours);
    if (section.table.heads.empty()) continue;
    text += "\n" + markdown_row(section.table.heads) + "|";
    for (size_t i = 0; i < section.table.heads.size(); ++i) text += "---|";
    text += "\n";
    for (const auto& row : section.table.rows) text += markdown_row(row);
  }
  return text;
}

std::string performance_html(const ordered_json& report) {
  const ReportDocument document = report_document(report);
  std::string text = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title><style>{1}</style>"
      "</head><body>\n<h1>{0}</h1>\n<p>Made {2}.</p>\n",
      html_escaped(document.title), kStyle, html_escaped(document.time));
  for (const ReportSection& section : document.sections) {
    text += "<h2>" + html_escaped(section.title) + "</h2>\n";
    for (const std::string& paragraph : section.paragraphs)
      text += "<p>" + html_escaped(paragraph) + "</p>\n";
    text += svg_hours(section.hours);
    text += html_table(section.table);
  }
  return text + "</body></html>\n";
}

}  // namespace snug
