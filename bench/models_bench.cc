// How fast whole model calls are, with random weights: steps and decodes of SD1.5's, SDXL's and Wan's sizes
// (model_phases.h), in every element type that this machine computes in, as shares of this machine's own
// limits, measured in the same run; where their time goes, operator by operator; what a second thread brings;
// how the program starts and loads; what bf16 changes in pictures; and whether the project's targets are met.
// `models_bench --help` lists the options.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "backend/backend.h"
#include "base/parallel.h"
#include "bench/models_report.h"
#include "bench/program.h"
#include "bench/table.h"

namespace snug::bench {
namespace {

constexpr int kProgramRepeats = 15;

struct Arguments {
  CommonOptions common;
  std::string before;
  std::vector<std::string> without, only;

  bool wants(const char* part) const {
    return std::find(without.begin(), without.end(), part) == without.end();
  }
  bool wants(CallKind kind) const {
    return wants("calls") &&
           (only.empty() || std::find(only.begin(), only.end(), call_info(kind).word) != only.end());
  }
  Clock clock() const { return common.one_thread ? Clock::kProcessor : Clock::kWall; }
  bool wants_beside_calls(const char* part) const { return only.empty() && wants(part); }
};

Measurement measurement_of(const ModelCall& call, const std::string& name, DType dtype, int threads,
                           std::vector<double> samples) {
  Measurement measured;
  measured.name = name;
  measured.dtype = dtype;
  measured.threads = threads;
  measured.warm_ups = 1;
  measured.samples = std::move(samples);
  measured.flops = call.flops();
  measured.held_bytes = call.arena_bytes();
  return measured;
}

// One thread and two, in turn. The kernels were planned for as many as there are.
void compare_threads(ModelCall& call, CallTimes& times, const Sampling& sampling) {
  const int all = thread_count();
  const auto with = [&](int threads) {
    return [&call, threads] {
      set_thread_count(threads);
      call.run();
    };
  };
  const auto samples = sample_in_turn({with(1), with(2)}, sampling);
  set_thread_count(all);
  const std::string name = std::string(call_info(times.kind).name) + ", in turn";
  times.one_thread = measurement_of(call, name, times.measured.dtype, 1, samples[0]);
  times.two_threads = measurement_of(call, name, times.measured.dtype, 2, samples[1]);
}

double median_of_products(const std::vector<std::vector<double>>& samples) {
  std::vector<double> products;
  for (const size_t body : {0, 1, 3, 4})
    products.insert(products.end(), samples[body].begin(), samples[body].end());
  return median_of(std::move(products));
}

CallTimes measure_call(CallKind kind, DType dtype, const Arguments& arguments, const Limits& limits) {
  std::fprintf(stderr, "models_bench: %s, %s\n", call_info(kind).name, dtype_word(dtype).c_str());
  const bool threads = kind == CallKind::kUnetStep && thread_count() >= 2 && arguments.wants("threads");
  const int repeats = arguments.common.repeats.value_or(call_info(kind).repeats);
  Sampling sampling = Sampling::exactly(repeats, 0);  // the first run was the warm-up
  sampling.clock = arguments.clock();
  ModelCall call(kind, dtype, threads ? 3 * repeats : repeats);
  CallTimes times;
  times.kind = kind;
  // The product before and after each: a machine that others share is slow for a while.
  F32Product product;
  product.run();
  const auto one_product = [&] { product.run(); };
  const auto samples =
      sample_in_turn({one_product, one_product, [&] { call.run(); }, one_product, one_product}, sampling);
  times.measured = measurement_of(call, call_info(kind).name, dtype, thread_count(), samples[2]);
  times.product_flops = F32Product::flops() / median_of_products(samples);
  times.operators = call.operators(limits);
  times.share_beside_products = call.share_beside_products();
  if (threads) compare_threads(call, times, sampling);
  return times;
}

void measure_programs(const Arguments& arguments, ModelTimes& times) {
  const int repeats = arguments.common.repeats.value_or(kProgramRepeats);
  for (const DType dtype : arguments.common.dtypes()) {
    const bool first = times.programs.empty();
    auto found = time_embedded_model(first ? arguments.before : "", dtype, repeats);
    times.programs.push_back(std::move(found[0]));
    if (found.size() > 1) times.before.push_back(std::move(found[1]));
  }
  times.programs.push_back(time_version(repeats));
}

int bench(const Arguments& arguments) {
  const auto load = load_average("models_bench");
  cpu_backend();  // settles the instruction set
  const std::vector<DType> dtypes = arguments.common.dtypes();
  ModelTimes times;
  if (arguments.common.one_thread) set_thread_count(1);
  LimitOptions options;
  options.product_clock = arguments.clock();
  times.limits = measure_limits(options);
  std::printf("%s\n%s\n", machine_line().c_str(), limits_line(times.limits).c_str());
  std::fflush(stdout);
  for (const CallInfo& info : call_list()) {
    if (!arguments.wants(info.kind)) continue;
    for (const DType dtype : dtypes) {
      times.calls.push_back(measure_call(info.kind, dtype, arguments, times.limits));
    }
  }
  if (arguments.wants_beside_calls("program")) measure_programs(arguments, times);
  if (arguments.wants_beside_calls("checkpoint"))
    times.checkpoint = time_checkpoint(dtypes.front(), times.limits);
  const bool both = std::find(dtypes.begin(), dtypes.end(), DType::kBF16) != dtypes.end();
  if (both && arguments.wants_beside_calls("pictures")) times.differences = compare_precisions();

  const std::vector<Target> targets = model_targets(times);
  std::fputs(models_report(times, targets, false).c_str(), stdout);
  Record record = models_record(times, targets);
  record.load_average = load;
  if (!arguments.common.json.empty()) write_json(arguments.common.json, record_json(record));
  if (!arguments.common.markdown.empty()) {
    fill_section_of_file(arguments.common.markdown, "models",
                         "\n" + machine_line() + ". " + limits_line(times.limits) + ".\n\n" +
                             models_report(times, targets, true));
  }
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app{"Whole model calls at full size, the program, and the project's targets.", "models_bench"};
  Arguments arguments;
  add_common_options(app, arguments.common);
  app.add_option("--before", arguments.before, "An older program, to compare the embedded model's time with")
      ->type_name("PROGRAM")
      ->check(CLI::ExistingFile);
  app.add_option("--without", arguments.without,
                 "Leave out: calls, threads, program, checkpoint (2 GB in the cache folder), pictures")
      ->type_name("PART")
      ->check(CLI::IsMember({"calls", "threads", "program", "checkpoint", "pictures"}));
  std::vector<std::string> words;
  for (const CallInfo& info : call_list()) words.emplace_back(info.word);
  app.add_option("--only", arguments.only, "These model calls, and nothing but model calls")
      ->type_name("CALL")
      ->check(CLI::IsMember(words));
  app.add_flag(
      "--one-thread", arguments.common.one_thread,
      "Model calls with one thread, whole ones by its processor time: comparable while the machine is "
      "busy. Operators have wall times all the same");
  app.footer(
      "\nexamples:\n"
      "  ./dev bench models --json models.json\n"
      "  ./dev bench models --dtype f32 --repeats 1 --without threads checkpoint\n"
      "  ./dev bench models --only sdxl-step wan-block --dtype f32\n"
      "  ./dev bench models --only wan22-decode --one-thread\n"
      "  ./dev bench models --before old/snug --markdown docs/performance.md\n\n"
      "\"of the peak\" and \"of the limits\" are at nominal FLOPs and bytes; above 1 is possible "
      "(limits.h).\n"
      "Targets that are missed change no exit code.");
  if (const auto code = parse(app, argc, argv)) return *code;
  return bench(arguments);
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) {
  return snug::bench::run_program("models_bench", snug::bench::run, argc, argv);
}
