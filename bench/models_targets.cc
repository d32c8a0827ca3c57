// The targets of the speed issue, and of the one on large images and video, each with what was found or why
// it was not.
#include <algorithm>

#include <fmt/format.h>

#include "backend/cpu/isa.h"
#include "base/parallel.h"
#include "bench/models_report.h"
#include "bench/sampling.h"

namespace snug::bench {
namespace {

constexpr double kStepOfProduct = 1.35, kDecodeOfProduct = 1.9;
constexpr double kStepOfAmx = 0.40, kDecodeOfAmx = 0.35;
// Of SDXL's step and Wan's block, and of the decoders, which cost as much.
constexpr double kLargeOfProduct = 1.0, kLargeOfAmx = 0.40;
constexpr double kProgramTimesAsFast = 3;
constexpr double kTwoThreads = 1.85;
constexpr double kMostBesideProducts = 0.12;
constexpr double kLoad = 1.3;
// The first step is one sample, and so is what it is compared with when there are few steps.
constexpr double kFirstStepNoise = 1.03;

Target unknown(std::string name, std::string why) {
  return {Met::kNotApplicable, std::move(name), std::move(why)};
}

const CallTimes* find(const ModelTimes& times, CallKind kind, DType dtype) {
  const auto found = std::find_if(times.calls.begin(), times.calls.end(), [&](const CallTimes& call) {
    return call.kind == kind && call.measured.dtype == dtype;
  });
  return found == times.calls.end() ? nullptr : &*found;
}

double rate_of(const CallTimes& call) { return call.measured.flops / call.measured.median_seconds(); }

Target of_product(const ModelTimes& times, CallKind kind, double least) {
  std::string name =
      fmt::format("{}, f32: at least {:.2f} of the 4096³ product's rate", call_info(kind).name, least);
  const CallTimes* const call = find(times, kind, DType::kF32);
  if (call == nullptr) return unknown(std::move(name), "not measured");
  const double share = rate_of(*call) / call->product_flops;
  return target(std::move(name), share >= least, fmt::format("{:.3f}", share));
}

Target of_amx(const ModelTimes& times, CallKind kind, double least) {
  std::string name =
      fmt::format("{}, bf16 on AMX: at least {:.2f} of AMX's peak", call_info(kind).name, least);
  if (used_isa() < Isa::kAmx) return unknown(std::move(name), "AMX is not used on this machine");
  const CallTimes* const call = find(times, kind, DType::kBF16);
  if (call == nullptr) return unknown(std::move(name), "not measured");
  const double share = rate_of(*call) / times.limits.peak.bf16_flops;
  return target(std::move(name), share >= least, fmt::format("{:.3f}", share));
}

Target of_program(const ModelTimes& times) {
  std::string name = fmt::format(
      "embedded model, 128x128, 20 steps, whole process: at least {:.0f} times as fast as the engine issue "
      "left it",
      kProgramTimesAsFast);
  if (times.programs.empty()) return unknown(std::move(name), "not measured");
  const double now = times.programs.front().median_seconds();
  if (times.before.empty()) {
    return unknown(std::move(name),
                   fmt::format("{:.0f} ms; give that program with --before to compare", now * 1e3));
  }
  const double before = times.before.front().median_seconds();
  return target(std::move(name), before / now >= kProgramTimesAsFast,
                fmt::format("{:.2f} times: {:.0f} ms, was {:.0f} ms", before / now, now * 1e3, before * 1e3));
}

Target of_threads(const CallTimes& call) {
  std::string name = fmt::format("{}, {}: two threads at least {:.2f} times as fast as one",
                                 call_info(call.kind).name, dtype_word(call.measured.dtype), kTwoThreads);
  if (!call.one_thread || !call.two_threads) {
    return unknown(std::move(name), thread_count() < 2 ? "there is one thread" : "not measured");
  }
  const double ratio = call.one_thread->median_seconds() / call.two_threads->median_seconds();
  return target(std::move(name), ratio >= kTwoThreads, fmt::format("{:.3f}", ratio));
}

Target of_rest(const CallTimes& call) {
  return target(
      fmt::format("{}, {}: all but convolutions, products and attention takes at most {:.0f} %",
                  call_info(call.kind).name, dtype_word(call.measured.dtype), 100 * kMostBesideProducts),
      call.share_beside_products <= kMostBesideProducts,
      fmt::format("{:.1f} %", 100 * call.share_beside_products));
}

void add_checkpoint(const ModelTimes& times, std::vector<Target>& targets) {
  std::string load = fmt::format(
      "a 2 GB checkpoint: waiting for weights takes at most {:.1f} of reading the files and copying as much",
      kLoad);
  std::string first = "a 2 GB checkpoint: the first step is not slower than the others";
  if (!times.checkpoint) {
    targets.push_back(unknown(std::move(load), "not measured"));
    targets.push_back(unknown(std::move(first), "not measured"));
    return;
  }
  const CheckpointTimes& found = *times.checkpoint;
  const double floor = found.file_seconds + found.copy_seconds;
  targets.push_back(target(
      std::move(load), found.waiting_seconds <= kLoad * floor,
      fmt::format("{:.2f}: {:.2f} s; reading {:.2f} s, copying {:.2f} s", found.waiting_seconds / floor,
                  found.waiting_seconds, found.file_seconds, found.copy_seconds)));
  const double ratio = found.first_step_seconds() / found.later_step_seconds();
  targets.push_back(
      target(std::move(first), ratio <= kFirstStepNoise,
             fmt::format("{:.3f} of the others' median, {:.2f} s", ratio, found.later_step_seconds())));
}

}  // namespace

std::vector<Target> model_targets(const ModelTimes& times) {
  std::vector<Target> targets = {of_product(times, CallKind::kUnetStep, kStepOfProduct),
                                 of_product(times, CallKind::kDecode, kDecodeOfProduct),
                                 of_amx(times, CallKind::kUnetStep, kStepOfAmx),
                                 of_amx(times, CallKind::kDecode, kDecodeOfAmx), of_program(times)};
  for (const CallKind kind :
       {CallKind::kSdxlStep, CallKind::kWanBlock, CallKind::kWan21Decode, CallKind::kWan22Decode}) {
    targets.push_back(of_product(times, kind, kLargeOfProduct));
    targets.push_back(of_amx(times, kind, kLargeOfAmx));
  }
  for (const CallTimes& call : times.calls) {
    if (call.kind != CallKind::kUnetStep) continue;
    targets.push_back(of_threads(call));
    targets.push_back(of_rest(call));
  }
  add_checkpoint(times, targets);
  return targets;
}

}  // namespace snug::bench
