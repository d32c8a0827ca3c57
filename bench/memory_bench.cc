// Time and memory of a full-size SD1.5 (random F16 weights, 512x512, f32 kernels) under one budget after
// another, each run a process of its own; what was predicted beside what happened; and whether the targets
// are met that the project has set itself. `memory_bench --help` lists the options; `--quick` is for trying.
//
// The model (2 GB) is written once into the user's cache folder and used again.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"
#include "bench/clip_memory.h"
#include "bench/memory_record.h"
#include "bench/memory_runs.h"
#include "bench/memory_setup.h"
#include "bench/program.h"
#include "bench/record.h"
#include "media/atomic_file.h"
#include "pipeline/measure_disk.h"

namespace snug::bench {
namespace {

constexpr int kPlanRepeats = 20;
constexpr double kDiskSeconds = 4;
constexpr int kQuickEdge = 256;

struct Arguments {
  std::string budgets = "none,1GiB,1GiB+direct,800MiB,700MiB,600MiB,500MiB,smallest";
  int steps = 2, rounds = 1;
  bool quick = false, calibrate = false, no_calibrate = false, refine = false, clips = false;
  std::string json, svg, clip_model;
};

// "none,1GiB+direct,smallest".
std::vector<Setting> parse_settings(const std::string& list, uint64_t smallest_bytes) {
  constexpr std::string_view kDirect = "+direct";
  std::vector<Setting> settings;
  for (std::string word : CLI::detail::split(list, ',')) {
    Setting setting;
    if (word.ends_with(kDirect)) {
      setting.direct_reads = true;
      word.resize(word.size() - kDirect.size());
    }
    if (word == "smallest") {
      setting.smallest = true;
      setting.budget_bytes = smallest_bytes;
    } else if (word != "none") {
      setting.budget_bytes = parse_bytes(word, "--budgets");
    }
    setting.name = setting.budget_bytes.has_value() ? format_bytes(*setting.budget_bytes) : "unconstrained";
    if (setting.smallest) setting.name = "smallest, " + setting.name;
    if (setting.direct_reads) setting.name += ", direct";
    settings.push_back(std::move(setting));
  }
  return settings;
}

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

// What does not need a run: plans, and how long making them takes.
void plan_rows(Measurements& all, const Arguments& arguments) {
  for (Setting& setting : parse_settings(arguments.budgets, all.smallest_bytes)) {
    Row row;
    row.setting = std::move(setting);
    row.plan = run_plan(all.work, row.setting);
    time_planning(all.work, row, kPlanRepeats);
    all.rows.push_back(std::move(row));
  }
}

// Round by round, so that what else the machine does in the meantime disturbs all budgets alike.
void run_rows(Measurements& all, const Arguments& arguments, const BenchRates& rates) {
  for (int round = 0; round < arguments.rounds; ++round) {
    for (Row& row : all.rows) {
      if (!arguments.refine) rates.restore();
      row.samples.push_back(run_generate(all.work, row.setting));
      const Sample& sample = row.samples.back();
      std::fprintf(
          stderr, "memory_bench: %s: %s\n", row.setting.name.c_str(),
          sample.error_code.empty() ? format_seconds(sample.seconds).c_str() : sample.error_code.c_str());
    }
  }
}

void measure_machine(Measurements& all, const std::vector<std::string>& files) {
  const DiskRates disk = measure_disk(files.front(), kDiskSeconds);
  all.read_bytes = disk.read_bytes;
  all.direct_read_bytes = disk.direct_read_bytes;
  const auto text = [](std::optional<double> rate) {
    return rate.has_value() ? fmt::format("{:.2f} GB/s", *rate / 1e9) : std::string("not measured");
  };
  say(fmt::format("reading {}: {} from the page cache, {} past it",
                  format_bytes(bring_into_page_cache(files)), text(disk.read_bytes),
                  text(disk.direct_read_bytes)));
}

void write_text(const std::string& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

// 0 when everything ran, whether targets were met or not.
int bench(const Arguments& arguments) {
  const std::string folder = bench_folder();
  if (arguments.clips || !arguments.clip_model.empty()) {
    say(target_lines(clip_targets(arguments.clip_model, folder + "/clip.mp4")));
    return 0;
  }
  Measurements all;
  all.load_average = load_average("memory_bench");  // before this program makes some itself
  all.work.model = sd15_checkpoint(folder);
  all.work.picture = folder + "/picture.png";
  all.work.steps = arguments.steps;
  if (arguments.quick) all.work.width = all.work.height = kQuickEdge;
  const BenchRates rates(folder, all.work.model,
                         arguments.calibrate      ? Calibrating::kAlways
                         : arguments.no_calibrate ? Calibrating::kNever
                                                  : Calibrating::kIfUnknown);
  measure_machine(all, weight_files(all.work.model));
  rates.restore();
  all.smallest_bytes = smallest_budget_bytes(all.work);
  const std::string title = fmt::format("SD1.5, {}x{}, {} steps, f32, random F16 weights", all.work.width,
                                        all.work.height, all.work.steps);
  say(fmt::format("{}; the smallest budget is {}", title, format_bytes(all.smallest_bytes)));
  plan_rows(all, arguments);
  run_rows(all, arguments, rates);
  rates.restore();
  say("\n" + memory_table(all));
  const std::vector<Target> targets = memory_targets(all);
  if (arguments.quick) say("--quick: the targets are for 512x512");
  say(target_lines(targets));
  if (!arguments.json.empty()) {
    write_json(arguments.json, memory_json(all, targets));
  }
  if (!arguments.svg.empty()) {
    write_text(arguments.svg, draw_curve(title, run_curve(all.work), measured_points(all.rows)));
  }
  const bool all_ran = std::all_of(all.rows.begin(), all.rows.end(), [](const Row& row) {
    return row.samples.empty() || row.ran() || (row.refused() && !row.setting.smallest);
  });
  return all_ran ? 0 : 1;
}

int run(int argc, char** argv) {
  CLI::App app{"SD1.5 under one memory budget after another.", "memory_bench"};
  Arguments arguments;
  app.add_option("--budgets", arguments.budgets,
                 "Of: none, smallest, a size; with +direct, weights are read past the page cache")
      ->type_name("LIST")
      ->capture_default_str();
  app.add_option("--steps", arguments.steps,
                 "Sampling steps; with one, no weight is used twice and none has to stay")
      ->type_name("N")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--rounds", arguments.rounds, "Runs of each budget, in turn; medians count. 0: plans alone")
      ->type_name("N")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  app.add_flag("--quick", arguments.quick, "256x256, for trying");
  CLI::Option* const never =
      app.add_flag("--no-calibrate", arguments.no_calibrate, "Predict with the rates that are there");
  app.add_flag("--calibrate", arguments.calibrate, "Measure rates anew")->excludes(never);
  app.add_flag("--refine", arguments.refine, "Let each run refine the rates that the next is predicted with");
  app.add_flag("--clips", arguments.clips,
               "Clips alone: decoders' memory, and how long a plan with curve takes");
  app.add_option("--clip-model", arguments.clip_model,
                 "Clips, with a run of this TI2V-5B (tools/write_checkpoint --manifest .../wan22_ti2v_5b)")
      ->type_name("DIR");
  app.add_option("--json", arguments.json, "Write the record of all runs")->type_name("FILE");
  app.add_option("--svg", arguments.svg, "Draw time over budget")->type_name("FILE");
  if (const auto code = parse(app, argc, argv)) return *code;
  return bench(arguments);
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) {
  return snug::bench::run_program("memory_bench", snug::bench::run, argc, argv);
}
