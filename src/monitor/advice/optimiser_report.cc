#include "monitor/advice/optimiser_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

std::string seconds_text(const ordered_json& value) {
  return value.is_null() ? "unknown" : format_seconds(value.get<double>());
}
std::string bytes_text(const ordered_json& value) {
  return value.is_null() ? "unknown"
                         : format_bytes(static_cast<uint64_t>(std::max(0.0, value.get<double>())));
}
std::string number_text(const ordered_json& value, int digits) {
  return value.is_null() ? "" : fmt::format("{:.{}f}", value.get<double>(), digits);
}
ordered_json member(const ordered_json& object, const char* name) {
  return object.is_object() && object.contains(name) ? object.at(name) : ordered_json();
}

// One table cell after the other, in Markdown or HTML.
class Table {
 public:
  explicit Table(bool html) : html_(html) {}
  void head(const std::vector<std::string>& cells) {
    row(cells, "th");
    if (html_) return;
    text_ += "|";
    for (size_t i = 0; i < cells.size(); ++i) text_ += i == 0 ? "---|" : "---:|";
    text_ += "\n";
  }
  void row(const std::vector<std::string>& cells, const char* tag = "td") {
    text_ += html_ ? "<tr>" : "|";
    for (const std::string& cell : cells)
      text_ += html_ ? fmt::format("<{0}>{1}</{0}>", tag, escaped(cell)) : fmt::format(" {} |", cell);
    text_ += html_ ? "</tr>\n" : "\n";
  }
  std::string text() const { return html_ ? "<table>\n" + text_ + "</table>\n" : text_ + "\n"; }

  static std::string escaped(const std::string& text) {
    std::string result;
    for (const char letter : text) {
      if (letter == '<') {
        result += "&lt;";
      } else if (letter == '&') {
        result += "&amp;";
      } else if (letter == '"') {
        result += "&quot;";
      } else {
        result += letter;
      }
    }
    return result;
  }

 private:
  const bool html_;
  std::string text_;
};

std::string stages_table(const ordered_json& analysis, bool html) {
  Table table(html);
  table.head({"stage", "seconds, measured", "share"});
  for (const ordered_json& stage : analysis.at("stages")) {
    const ordered_json& share = stage.at("share");
    table.row({stage.at("stage"), seconds_text(stage.at("seconds")),
               share.is_null() ? "" : fmt::format("{:.1f} %", share.get<double>() * 100)});
  }
  return table.text();
}

std::string memory_table(const ordered_json& analysis, bool html) {
  Table table(html);
  table.head({"memory at the peak of the newest run", "bytes"});
  for (const ordered_json& kind : analysis.at("peak_kinds"))
    table.row({kind.at("kind"), bytes_text(kind.at("bytes"))});
  return table.text();
}

std::string advice_table(const ordered_json& analysis, bool html) {
  Table table(html);
  table.head({"advice", "before, predicted", "after, predicted", "confidence"});
  for (const ordered_json& advice : analysis.at("advice").at("advice")) {
    const ordered_json& predicted = advice.at("predicted");
    const bool is_time = predicted.at("unit") == "seconds";
    const auto text = [&](const char* name) {
      return is_time ? seconds_text(predicted.at(name)) : number_text(predicted.at(name), 0);
    };
    table.row({advice.at("title"), text("before"), text("after"),
               fmt::format("{:.0f} %", advice.at("confidence").get<double>() * 100)});
  }
  return table.text();
}

std::string variants_table(const ordered_json& benchmark, bool html) {
  Table table(html);
  table.head({"configuration", "seconds a job, median", "interval", "peak memory", "SSIM", "PSNR dB", "score",
              "Pareto", "wins"});
  for (const ordered_json& variant : benchmark.at("variants")) {
    const ordered_json& seconds = variant.at("seconds");
    const std::string name = variant.at("name");
    if (seconds.is_null()) {
      table.row({name, "not measured: " + member(variant, "problem").dump(), "", "", "", "", "", "", ""});
      continue;
    }
    table.row({name, seconds_text(seconds.at("median")),
               fmt::format("{} to {} ({:.0f} %)", seconds_text(seconds.at("low")),
                           seconds_text(seconds.at("high")), seconds.at("coverage").get<double>() * 100),
               bytes_text(member(variant.at("peak_bytes"), "median")), number_text(variant.at("ssim"), 4),
               variant.at("psnr_db").is_null() ? "equal" : number_text(variant.at("psnr_db"), 1),
               number_text(variant.at("score"), 3), variant.at("pareto").get<bool>() ? "yes" : "",
               variant.at("wins").get<bool>() ? "yes" : ""});
  }
  return table.text();
}

std::string applied_text(const ordered_json& applied) {
  if (applied.is_null()) return "Nothing was changed.";
  return fmt::format(
      "The winner was {}: {} a job before, {} after, the median pair {:.2f} times ({} pairs, measured).",
      applied.at("rolled_back").get<bool>() ? "tried, was not better, and was taken back" : "applied",
      seconds_text(applied.at("before")), seconds_text(applied.at("after")),
      applied.at("ratio").get<double>(), applied.at("pairs").get<int>());
}

std::string weights_text(const ordered_json& weights) {
  return fmt::format(
      "Weights: time {:.2f}, memory {:.2f}, quality {:.2f}. A score is the sum of time and memory, "
      "each against the present configuration's, and of 1 - SSIM, so weighted; less is better.",
      weights.at("time").get<double>(), weights.at("memory").get<double>(),
      weights.at("quality").get<double>());
}

// Horizontal bars with their intervals.
std::string bars_svg(const ordered_json& variants) {
  constexpr double kLeft = 190, kWidth = 420, kRow = 24;
  double most = 0;
  int rows = 0;
  for (const ordered_json& variant : variants) {
    if (variant.at("seconds").is_null()) continue;
    most = std::max(most, variant.at("seconds").at("high").get<double>());
    ++rows;
  }
  if (rows == 0 || most <= 0) return {};
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"{:.0f}\" role=\"img\" "
      "aria-label=\"seconds a job\">\n",
      kRow * rows + 8);
  double y = 4;
  for (const ordered_json& variant : variants) {
    const ordered_json& seconds = variant.at("seconds");
    if (seconds.is_null()) continue;
    const auto x = [&](const char* name) { return kLeft + seconds.at(name).get<double>() / most * kWidth; };
    svg += fmt::format("<text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 8, y + 15,
                       Table::escaped(variant.at("name")));
    svg += fmt::format("<rect class=\"{}\" x=\"{:.0f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"16\"/>",
                       variant.at("wins").get<bool>() ? "wins" : "bar", kLeft, y + 2, x("median") - kLeft);
    svg += fmt::format("<path class=\"interval\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", x("low"), y + 10, x("high"));
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x("high") + 6, y + 15,
                       seconds_text(seconds.at("median")));
    y += kRow;
  }
  return svg + "</svg>\n";
}

// Seconds across, memory up; the front is filled.
std::string front_svg(const ordered_json& variants) {
  constexpr double kLeft = 60, kTop = 16, kWidth = 480, kHeight = 260;
  double most_seconds = 0, most_bytes = 0;
  for (const ordered_json& variant : variants) {
    if (variant.at("seconds").is_null() || variant.at("peak_bytes").is_null()) continue;
    most_seconds = std::max(most_seconds, variant.at("seconds").at("median").get<double>());
    most_bytes = std::max(most_bytes, variant.at("peak_bytes").at("median").get<double>());
  }
  if (most_seconds <= 0 || most_bytes <= 0) return {};
  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"320\" role=\"img\" "
      "aria-label=\"seconds a job against peak memory\">\n";
  svg += fmt::format(
      "<path class=\"axis\" d=\"M{0} {1}V{2}H{3}\"/><text x=\"{4}\" y=\"{5}\">seconds a job, 0 to "
      "{6}</text><text x=\"{0}\" y=\"{7}\">peak memory, 0 to {8}</text>\n",
      kLeft, kTop, kTop + kHeight, kLeft + kWidth, kLeft + kWidth / 2, kTop + kHeight + 24,
      format_seconds(most_seconds), kTop - 4, format_bytes(static_cast<uint64_t>(most_bytes)));
  for (const ordered_json& variant : variants) {
    if (variant.at("seconds").is_null() || variant.at("peak_bytes").is_null()) continue;
    const double x = kLeft + variant.at("seconds").at("median").get<double>() / most_seconds * kWidth;
    const double y = kTop + kHeight * (1 - variant.at("peak_bytes").at("median").get<double>() / most_bytes);
    svg += fmt::format(
        "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"><title>{}</title></circle>\n",
        variant.at("pareto").get<bool>() ? "front" : "point", x, y, Table::escaped(variant.at("name")));
  }
  return svg + "</svg>\n";
}

constexpr const char* kStyle =
    "body{font:15px sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.25em "
    ".6em;text-align:right}"
    "td:first-child,th:first-child{text-align:left}.bar{fill:#8aa}.wins,.front{fill:#276}"
    ".point{fill:none;stroke:#8aa}.interval{stroke:#222}.axis{stroke:#222;fill:none}text{font-size:12px}";

std::string heading(const ordered_json& report) {
  return fmt::format("{}, Snug {}, {} jobs of the last {:g} hours.", report.at("machine").get<std::string>(),
                     report.at("version").get<std::string>(), report.at("analysis").at("jobs").get<int>(),
                     report.at("window_hours").get<double>());
}

}  // namespace

ordered_json report_json(const OptimiserReport& report) {
  return {{"form", kOptimiserReportForm},
          {"at_ms", report.at_ms},
          {"machine", report.machine},
          {"version", report.version},
          {"window_hours", report.window_hours},
          {"weights",
           {{"time", report.weights.time},
            {"memory", report.weights.memory},
            {"quality", report.weights.quality}}},
          {"analysis", to_json(report.analysis)},
          {"benchmark", report.benchmark ? to_json(*report.benchmark) : ordered_json()},
          {"applied", report.applied ? to_json(*report.applied) : ordered_json()}};
}

std::string report_markdown(const ordered_json& report) {
  const ordered_json &analysis = report.at("analysis"), &benchmark = report.at("benchmark");
  std::string text = fmt::format("# What would make Snug better here\n\n{}\n\n## Where the time went\n\n{}",
                                 heading(report), stages_table(analysis, false));
  if (!analysis.at("peak_kinds").empty()) text += memory_table(analysis, false);
  text += "## Advice\n\n" + advice_table(analysis, false);
  if (!benchmark.is_null()) {
    text += fmt::format("## Benchmark\n\n{}\n\n{}", weights_text(report.at("weights")),
                        variants_table(benchmark, false));
  }
  return text + applied_text(report.at("applied")) + "\n";
}

std::string report_html(const ordered_json& report) {
  const ordered_json &analysis = report.at("analysis"), &benchmark = report.at("benchmark");
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Snug: optimisation "
      "report</title>"
      "<style>{}</style></head><body>\n<h1>What would make Snug better here</h1>\n<p>{}</p>\n"
      "<h2>Where the time went</h2>\n{}",
      kStyle, Table::escaped(heading(report)), stages_table(analysis, true));
  if (!analysis.at("peak_kinds").empty()) page += memory_table(analysis, true);
  page += "<h2>Advice</h2>\n" + advice_table(analysis, true);
  if (!benchmark.is_null()) {
    page += fmt::format("<h2>Benchmark</h2>\n<p>{}</p>\n{}{}{}",
                        Table::escaped(weights_text(report.at("weights"))), variants_table(benchmark, true),
                        bars_svg(benchmark.at("variants")), front_svg(benchmark.at("variants")));
  }
  return page + "<p>" + Table::escaped(applied_text(report.at("applied"))) + "</p>\n</body></html>\n";
}

}  // namespace snug
