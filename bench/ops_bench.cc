// How fast each distinct convolution, matrix product and attention of SD1.5 is (tests/fixtures/shapes, the
// lists that the operator tests check): time, nominal FLOP/s, the share of the limit that binds, and oneDNN's
// time, taken in turn with ours; then what whole model calls of them would reach. `ops_bench --help` lists
// the options.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "backend/backend.h"
#include "backend/kernel_trial.h"
#include "backend/op_cases.h"
#include "base/error.h"
#include "base/parallel.h"
#include "bench/onednn.h"
#include "bench/ops_report.h"
#include "bench/program.h"
#include "bench/table.h"

namespace snug::bench {
namespace {

constexpr Sampling kSampling = {.warm_ups = 1, .least = 3, .most = 1000, .seconds = 0.25};

struct Arguments {
  CommonOptions common;
  std::vector<std::string> files, groups = {"unet_step", "vae_decode"};
  std::string only;
  bool all_groups = false, no_onednn = false;
};

std::vector<OpShapeGroup> shapes_of(const Arguments& arguments) {
  std::vector<OpShapeGroup> wanted;
  for (const std::string& file : arguments.files) {
    for (OpShapeGroup& group : read_op_shapes(file)) {
      const bool named =
          std::find(arguments.groups.begin(), arguments.groups.end(), group.name) != arguments.groups.end();
      if (!named && !arguments.all_groups) continue;
      std::erase_if(group.shapes, [&](const OpShape& shape) {
        return shape_line(shape.node).find(arguments.only) == std::string::npos;
      });
      if (!group.shapes.empty()) wanted.push_back(std::move(group));
    }
  }
  if (wanted.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "no shape is left to measure", "see --group and --only");
  }
  return wanted;
}

std::vector<double> fastest(const std::vector<std::vector<double>>& samples) {
  if (samples.size() < 2) return {};
  return *std::min_element(samples.begin() + 1, samples.end(),
                           [](const auto& a, const auto& b) { return median_of(a) < median_of(b); });
}

ShapeTime time_of(const std::string& group, const OpShape& shape, DType dtype, const Arguments& arguments) {
  ShapeTime time;
  time.node = with_activations(shape.node, dtype);
  KernelTrial trial(time.node, cpu_backend().choose(time.node).kernel, made_up_operands(time.node));
  Bodies bodies = {[&] { trial.run_only(); }};
  if (!arguments.no_onednn) {
    for (auto& way : onednn_ways(time.node)) bodies.push_back(std::move(way));
  }
  const Sampling sampling = arguments.common.sampling(kSampling);
  const auto samples = sample_in_turn(bodies, sampling);
  const Cost cost = op_cost(time.node.op, time.node.attrs, time.node.operands, time.node.output);
  time.ours.name = group + ": " + shape_line(time.node);
  time.ours.dtype = dtype;
  time.ours.threads = thread_count();
  time.ours.count = shape.count;
  time.ours.warm_ups = sampling.warm_ups;
  time.ours.samples = samples[0];
  time.ours.flops = cost.flops;
  time.ours.bytes = static_cast<double>(cost.bytes);
  time.onednn = fastest(samples);
  time.kernel = trial.kernel().name();
  return time;
}

// In one line that the next overwrites; nothing where nobody looks.
void show_progress(const std::string& name) {
  if (::isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "\r%-100s\r", name.c_str());
}

std::vector<GroupTimes> measure(const Arguments& arguments) {
  std::vector<GroupTimes> all;
  for (const DType dtype : arguments.common.dtypes()) {
    for (const OpShapeGroup& group : shapes_of(arguments)) {
      GroupTimes times = {group, dtype, {}};
      for (const OpShape& shape : group.shapes) {
        times.times.push_back(time_of(group.name, shape, dtype, arguments));
        show_progress(times.times.back().ours.name);
      }
      show_progress("");
      all.push_back(std::move(times));
    }
  }
  return all;
}

int bench(const Arguments& arguments) {
  Record record;
  record.benchmark = "ops";
  record.load_average = load_average("ops_bench");
  if (arguments.common.one_thread) set_thread_count(1);
  LimitOptions options;
  options.disk = false;  // no operator waits for it
  options.product_clock = arguments.common.sampling(kSampling).clock;
  record.limits = measure_limits(options);
  std::printf("%s\n%s\n\n", machine_line().c_str(), limits_line(*record.limits).c_str());
  std::fflush(stdout);
  const std::vector<GroupTimes> groups = measure(arguments);
  std::fputs(ops_report(groups, *record.limits, false).c_str(), stdout);
  record.settings = {{"one_thread", arguments.common.one_thread}, {"only", arguments.only}};
  record.results = ops_results(groups);
  if (!arguments.common.json.empty()) write_json(arguments.common.json, record_json(record));
  if (!arguments.common.markdown.empty()) {
    fill_section_of_file(arguments.common.markdown, "ops",
                         "\n" + machine_line() + ". " + limits_line(*record.limits) + ".\n\n" +
                             ops_report(groups, *record.limits, true));
  }
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app{"Convolutions, matrix products and attentions, one by one.", "ops_bench"};
  Arguments arguments;
  arguments.files = {SNUG_SOURCE_DIR "/tests/fixtures/shapes/sd15.json"};
  add_common_options(app, arguments.common);
  app.add_option("--shapes", arguments.files, "Lists of shapes (src/backend/op_shapes.h says their form)")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_option("--group", arguments.groups, "Of the lists, these")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_flag("--all-groups", arguments.all_groups, "Of the lists, all");
  app.add_option("--only", arguments.only, "Shapes whose line has this text, as in \"conv2d 3x3\"")
      ->type_name("TEXT");
  app.add_flag("--no-onednn", arguments.no_onednn, "Ours alone");
  app.add_flag("--one-thread", arguments.common.one_thread,
               "One thread, by its processor time: stays comparable while the machine is busy");
  app.footer(
      "\nexamples:\n"
      "  ./dev bench ops --dtype f32 --json ops.json\n"
      "  ./dev bench ops --only attention --one-thread\n"
      "  ./dev bench ops --markdown docs/performance.md\n\n"
      "\"share\" is of the limit that binds, at nominal FLOPs and bytes; above 1 is possible (limits.h).");
  if (const auto code = parse(app, argc, argv)) return *code;
  return bench(arguments);
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) {
  return snug::bench::run_program("ops_bench", snug::bench::run, argc, argv);
}
