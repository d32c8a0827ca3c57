// `./dev bench advice`: the section "advice" of `./dev bench observe` by itself.

#include <fmt/format.h>

#include "bench/observe_advice.h"
#include "bench/program.h"

namespace snug::bench {
namespace {

int run(int argc, char** argv) {
  CLI::App app{"What advice is worth: ten bad configurations"};
  double check_seconds = 30;
  std::vector<std::string> only;
  app.add_option("--check-seconds", check_seconds, "Of each check; default 30");
  app.add_option("--only", only, "Names to do; default: all");
  if (const auto code = parse(app, argc, argv)) return *code;
  const std::vector<AdviceTrial> trials = try_bad_configurations(check_seconds, only);
  fmt::print("{}\n{}", advice_table(trials, false), target_lines(advice_targets(trials)));
  return 0;
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) { return snug::bench::run_program("advice", snug::bench::run, argc, argv); }
