#include "bench/clip_memory.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backend/backend.h"
#include "base/error.h"
#include "base/units.h"
#include "graph/passes/passes.h"
#include "models/video_model.h"
#include "plan/planner.h"
#include "runtime/kernel_set.h"
#include "tests/program.h"
#include "weights/manifest_checkpoint.h"

namespace snug::bench {
namespace {

constexpr int64_t kWidth = 832, kHeight = 480;
constexpr double kMostGrowth = 1.01;
constexpr double kMostPlanSeconds = 0.5;
constexpr uint64_t kRunBytes = 3 * kGiB;
constexpr int kPlanRuns = 5;

const std::string kManifests = std::string(SNUG_SOURCE_DIR) + "/tests/fixtures/manifests/";

struct Sizes {
  uint64_t natural_bytes = 0, smallest_bytes = 0;  // of the arena, planned
};

Sizes decoder_sizes(const VideoModel& model, int64_t frames) {
  const ClipSize latents{model.latent_frames(frames), kHeight / model.vae.factor(),
                         kWidth / model.vae.factor()};
  Graph graph = run_passes(video_decoder_graph(model, latents));
  graph.set_streamed(true);
  std::vector<PhaseRequest> phases = {{"decode", "decode", "vae", 1, {}}};
  phases.front().ways.push_back({1, std::move(graph), {}});
  KernelSet kernels(cpu_backend());
  const Rates rates;
  RequestPlanner planner(phases, kernels, rates);
  return {planner.sketch({}).plan.arena_bytes, planner.sketch({0, 0}).plan.arena_bytes};
}

Target decoder_target(const std::string& name, const std::string& manifest) {
  const VideoModel model = describe_video_model(open_manifests(kManifests + manifest));
  const Sizes few = decoder_sizes(model, 9), many = decoder_sizes(model, 81);
  std::printf("%s, decode of %dx%d in f32, arena planned: 9 frames %s, 81 frames %s; at least %s and %s\n",
              name.c_str(), static_cast<int>(kWidth), static_cast<int>(kHeight),
              format_bytes(few.natural_bytes).c_str(), format_bytes(many.natural_bytes).c_str(),
              format_bytes(few.smallest_bytes).c_str(), format_bytes(many.smallest_bytes).c_str());
  // Where memory is free, and where there is as little as can be.
  const auto times = [](uint64_t more, uint64_t less) {
    return static_cast<double>(more) / static_cast<double>(less);
  };
  const double growth =
      std::max(times(many.natural_bytes, few.natural_bytes), times(many.smallest_bytes, few.smallest_bytes));
  return target(fmt::format("{} decodes 81 frames of 480x832 with the memory of 9, and 1 %", name),
                growth <= kMostGrowth, fmt::format("{:.4f} times", growth));
}

// The fastest of some: others disturb a process, nothing speeds it up.
Target planning_target() {
  double seconds = 0;
  for (int i = 0; i < kPlanRuns; ++i) {
    const auto result = testing::run_program({"plan", "--manifest", kManifests + "wan22_t2v_a14b", "--size",
                                              "1280x720", "--frames", "81", "--curve"});
    if (result.exit_code != 0) {
      throw Error(ErrorCode::kInternal, "snug plan failed: " + result.err, "run it by hand");
    }
    seconds = i == 0 ? result.seconds : std::min(seconds, result.seconds);
  }
  return target("T2V-A14B at 1280x720x81 is planned with its curve in 500 ms, process and all",
                seconds < kMostPlanSeconds,
                fmt::format("{:.0f} ms, the least of {}", 1000 * seconds, kPlanRuns));
}

Target run_target(const std::string& model, const std::string& clip) {
  const std::string name = "TI2V-5B, 480x832x17 in bf16, two steps and the decode inside 3 GiB";
  if (model.empty()) return {Met::kNotApplicable, name, "not run: --clip-model names no checkpoint"};
  const auto result = testing::run_program({"generate",    "a red sailboat on the sea",
                                            "--model",     model,
                                            "--size",      "832x480",
                                            "--frames",    "17",
                                            "--steps",     "2",
                                            "--guidance",  "1",
                                            "--precision", "bf16",
                                            "--memory",    "3GiB",
                                            "--seed",      "1",
                                            "--json",      "--output",
                                            clip});
  std::error_code ignored;
  std::filesystem::remove(clip, ignored);
  if (result.exit_code != 0) return target(name, false, result.err);
  return target(name, result.peak_bytes <= kRunBytes,
                fmt::format("{} resident at most, measured, in {}", format_bytes(result.peak_bytes),
                            format_seconds(result.seconds)));
}

}  // namespace

std::vector<Target> clip_targets(const std::string& model, const std::string& clip) {
  return {decoder_target("Wan VAE 2.1", "wan22_t2v_a14b"), decoder_target("Wan VAE 2.2", "wan22_ti2v_5b"),
          planning_target(), run_target(model, clip)};
}

}  // namespace snug::bench
