// `compare BEFORE.json AFTER.json`: what became faster or slower between two records of a benchmark, and what
// is noise. `./dev bench compare` starts it.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/units.h"
#include "bench/compare.h"
#include "bench/program.h"
#include "bench/table.h"

namespace snug::bench {
namespace {

constexpr uint64_t kMostRecordBytes = 64 * kMiB;
constexpr int kSlowerExitCode = 1;

nlohmann::json read_record(const std::string& path) {
  auto parsed = nlohmann::json::parse(read_text(*open_file(path), kMostRecordBytes), nullptr, false);
  if (!parsed.is_object()) {
    throw Error(ErrorCode::kInvalidArgument, "no record of a benchmark", "make one with --json FILE")
        .in_file(path);
  }
  return parsed;
}

std::string milliseconds(std::optional<double> seconds) {
  return seconds ? fmt::format("{:.3f}", *seconds * 1e3) : "-";
}

int print(const std::vector<Change>& changes, bool all) {
  Table table({"result", "before ms", "after ms", "change", "verdict"});
  int slower = 0, faster = 0, noise = 0, alone = 0;
  for (const Change& change : changes) {
    const bool both = change.before && change.after;
    if (!both) {
      ++alone;
    } else {
      ++(change.verdict == Verdict::kSlower ? slower : change.verdict == Verdict::kFaster ? faster : noise);
    }
    if (both && change.verdict == Verdict::kNoise && !all) continue;
    table.add({change.name, milliseconds(change.before), milliseconds(change.after),
               both ? fmt::format("{:+.1f} %", 100 * (*change.after / *change.before - 1)) : "-",
               both            ? verdict_word(change.verdict)
               : change.before ? "only before"
                               : "only after"});
  }
  std::fputs(table.text().c_str(), stdout);
  std::printf("%d slower, %d faster, %d noise, %d in one record only\n", slower, faster, noise, alone);
  return slower > 0 ? kSlowerExitCode : 0;
}

int run(int argc, char** argv) {
  CLI::App app{"What became faster or slower between two records of a benchmark, and what is noise.",
               "compare"};
  std::string before, after;
  Thresholds thresholds;
  double percent = 100 * thresholds.relative, microseconds = 1e6 * thresholds.absolute_seconds;
  bool all = false;
  app.add_option("BEFORE", before, "A record (--json FILE of a benchmark)")->required();
  app.add_option("AFTER", after, "Another of the same benchmark")->required();
  app.add_option("--relative", percent, "Smaller changes of a median are noise")
      ->type_name("PERCENT")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--absolute", microseconds, "So are these")
      ->type_name("MICROSECONDS")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--all", all, "Print what is noise, too");
  app.footer(
      "\nexamples:\n"
      "  ./dev bench ops --json before.json\n"
      "  ./dev bench ops --json after.json            # with the change\n"
      "  ./dev bench compare before.json after.json\n\n"
      "exit codes: 0 nothing is slower; 1 something is; others as `snug help errors` says");
  if (const auto code = parse(app, argc, argv)) return *code;
  thresholds.relative = percent / 100;
  thresholds.absolute_seconds = microseconds / 1e6;
  const nlohmann::json old_record = read_record(before), new_record = read_record(after);
  for (const std::string& difference : differences(old_record, new_record)) {
    std::fprintf(stderr, "compare: the records differ in %s\n", difference.c_str());
  }
  return print(compare_records(old_record, new_record, thresholds), all);
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) { return snug::bench::run_program("compare", snug::bench::run, argc, argv); }
