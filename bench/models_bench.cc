// How fast whole model calls are, each as a share of this machine's own F32 matrix rate measured in the same
// run: an SD1.5-size UNet step (batch 2, 64×64 latents) and the decode to 512×512, with random weights; and
// where the time goes, by operation. `models_bench [f32|bf16] [repeats]`.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/stopwatch.h"
#include "base/units.h"
#include "bench/matrix_rate.h"
#include "bench/random_weights.h"
#include "graph/passes/hoist.h"
#include "graph/passes/passes.h"
#include "graph/passes/precision.h"
#include "models/autoencoder_kl/autoencoder_kl.h"
#include "models/unet/unet.h"
#include "plan/planner.h"
#include "runtime/executor.h"

namespace snug::bench {
namespace {

struct OperationTime {
  double seconds = 0, flops = 0;
  int nodes = 0;
};

void print_operations(const Phase& phase, const PhaseRecord& record, double rate) {
  std::map<std::string, OperationTime> times;
  double total = 0;
  const auto runs = static_cast<double>(record.run_seconds.size());
  for (size_t i = 0; i < phase.instructions.size(); ++i) {
    const auto* run = std::get_if<RunKernel>(&phase.instructions[i]);
    if (run == nullptr) continue;
    const Node& node = phase.graph.node(run->node);
    const auto& name = phase.kernel_names[static_cast<size_t>(run->node)];
    OperationTime& time = times[std::string(op_info(node.op).name) + " " + name];
    time.seconds += record.kernel_seconds[i] / runs;
    time.flops += phase.graph.cost(node).flops;
    ++time.nodes;
    total += record.kernel_seconds[i] / runs;
  }
  std::vector<std::pair<std::string, OperationTime>> sorted(times.begin(), times.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  for (const auto& [name, time] : sorted) {
    std::printf("    %-40s %4d nodes %8.1f ms %5.1f %%  %7.1f GFLOP/s (%.2f of the product's)\n",
                name.c_str(), time.nodes, time.seconds * 1e3, 100 * time.seconds / total,
                time.flops / time.seconds / 1e9, time.flops / time.seconds / rate);
  }
}

// One way to run it: the whole batch at once.
PhaseRequest whole(const char* name, const char* stage, Graph graph) {
  PhaseRequest request{name, stage, "part", 1, {}};
  request.ways.push_back({1, std::move(graph), {}});
  return request;
}

void run_phase(Executor& executor, const Phase& phase) {
  executor.begin(phase);
  for (int call = 0; call < phase.calls; ++call) {
    for (const Port& port : phase.inputs) {
      const std::vector<float> values(static_cast<size_t>(phase.graph.value(port.value).shape.elements()),
                                      0.5F);
      executor.set_input(phase, port.name, std::span<const float>(values), call);
    }
    executor.run(phase, call);
  }
}

// Runs the last phase of the plan `repeats` times after one warm-up, which reads the weights, and prints the
// median. Memory without limit: everything whole and resident.
void measure(const char* name, std::vector<PhaseRequest> phases, const RandomModelPart& part, int repeats) {
  const double rate = f32_matrix_rate();
  KernelSet kernels(cpu_backend());
  phases.back().calls = repeats + 1;
  const Plan plan = make_plan(phases, kernels, Budget{}, Rates{}).plan;
  const Cancellation cancellation;
  Executor executor(plan, kernels, {{"part", part.weights}}, cancellation);
  for (const Phase& phase : plan.phases) run_phase(executor, phase);
  const Phase& last = plan.phases.back();
  std::vector<double> seconds = executor.record(last).run_seconds;
  const double first = seconds.front();
  seconds.erase(seconds.begin());
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  std::printf("%s: median %.3f s (first run, with its weights, %.3f s), %.3f TFLOP, %.1f GFLOP/s\n", name,
              median, first, last.flops_per_run / 1e12, last.flops_per_run / median / 1e9);
  std::printf(
      "  the machine's F32 4096^3 product: %.1f GFLOP/s; share %.3f; arena %llu bytes (%.2f GiB); %d "
      "threads\n",
      rate / 1e9, last.flops_per_run / median / rate, static_cast<unsigned long long>(plan.arena_bytes),
      static_cast<double>(plan.arena_bytes) / static_cast<double>(kGiB), thread_count());
  print_operations(last, executor.record(last), rate);
}

void unet(DType precision, int repeats) {
  const RandomModelPart part = random_part("sd15.unet");
  Graph graph("unet");
  GraphBuilder builder(graph);
  build_unet(builder, parse_unet_config(part.config), WeightScope(*part.weights), {2, 64, 64, 77, 1});
  HoistedGraphs parts = hoist(set_precision(run_passes(std::move(graph)), precision), repeats + 1);
  std::vector<PhaseRequest> phases;
  phases.push_back(whole("timesteps", "denoise", std::move(parts.timesteps)));
  phases.push_back(whole("prepare", "denoise", std::move(parts.request)));
  phases.push_back(whole("step", "denoise", std::move(parts.step)));
  for (const HoistedInput& hoisted : parts.hoisted) {
    phases.back().ways.front().links.push_back(
        {hoisted.step_input, hoisted.from_timesteps ? 0 : 1, hoisted.output_index, hoisted.from_timesteps});
  }
  measure("SD1.5 UNet step, batch 2, 64x64 latents", std::move(phases), part, repeats);
}

void decode(DType precision, int repeats) {
  const RandomModelPart part = random_part("sd15.vae");
  Graph graph("vae");
  GraphBuilder builder(graph);
  build_vae_decoder(builder, parse_autoencoder_kl_config(part.config), WeightScope(*part.weights),
                    {1, 64, 64});
  std::vector<PhaseRequest> phases;
  phases.push_back(whole("decode", "decode", set_precision(run_passes(std::move(graph)), precision)));
  measure("SD1.5 decode to 512x512", std::move(phases), part, repeats);
}

// Median wall time of a command, process start included.
void time_program(const char* name, const std::string& arguments, int repeats) {
  const std::string command = std::string(SNUG_PROGRAM) + " " + arguments + " > /dev/null";
  std::vector<double> seconds;
  for (int i = 0; i <= repeats; ++i) {
    const Stopwatch watch;
    if (std::system(command.c_str()) != 0) {
      throw Error(ErrorCode::kInternal, "the program failed: " + command);
    }
    if (i > 0) seconds.push_back(watch.seconds());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("%s: median %.0f ms, process start included\n", name, seconds[seconds.size() / 2] * 1e3);
}

void program(const std::string& precision, int repeats) {
  time_program("embedded model, 128x128, 20 steps",
               "generate 'a red sailboat on the sea at sunset' --seed 7 --quiet --precision " + precision +
                   " --output /dev/shm/snug-models-bench.png",
               repeats);
  std::remove("/dev/shm/snug-models-bench.png");
  time_program("snug --version", "--version", 10 * repeats);
}

}  // namespace
}  // namespace snug::bench

int main(int argc, char** argv) {
  const std::string precision = argc > 1 ? argv[1] : "f32";
  const int repeats = argc > 2 ? std::max(1, std::atoi(argv[2])) : 3;
  const auto available = snug::cpu_backend().precisions();
  const snug::DType dtype = precision == "bf16" ? snug::DType::kBF16 : snug::DType::kF32;
  if ((precision != "f32" && precision != "bf16") ||
      std::find(available.begin(), available.end(), dtype) == available.end()) {
    std::fprintf(stderr, "models_bench: no precision %s on this machine; use f32\n", precision.c_str());
    return 2;
  }
  try {
    snug::bench::unet(dtype, repeats);
    snug::bench::decode(dtype, repeats);
    snug::bench::program(precision, repeats);
  } catch (const snug::Error& error) {
    std::fprintf(stderr, "models_bench: %s\n", error.what());
    return snug::error_info(error.code()).exit_code;
  }
  return 0;
}
