// The loops keep everything in registers: their accumulators are more than a multiply-add takes cycles times
// the units there are, so that none waits for another, and few enough to leave registers for the operands.
#include "backend/cpu/peak.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "backend/cpu/isa.h"
#include "backend/cpu/peak_bf16.h"
#include "base/parallel.h"
#include "base/stopwatch.h"
#include "base/units.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/peak.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

// Two units of at most 5 cycles; the baseline's 16 registers hold these and two operands.
constexpr int kAccumulators = 12;

#if HWY_TARGET == HWY_SCALAR
// Highway takes one element at a time here, but the compiler makes SSE2 of loops over them.
using Register = float __attribute__((vector_size(16)));
constexpr int64_t kRegisterLanes = 4;
HWY_INLINE Register filled(float value) { return Register{value, value, value, value}; }
HWY_INLINE Register multiply_add(Register a, Register b, Register c) { return a * b + c; }
HWY_INLINE float first_lane(Register v) { return v[0]; }
#else
using Register = FloatVector;
constexpr int64_t kRegisterLanes = kLanes;
HWY_INLINE Register filled(float value) { return splat(value); }
HWY_INLINE Register multiply_add(Register a, Register b, Register c) { return hn::MulAdd(a, b, c); }
HWY_INLINE float first_lane(Register v) { return hn::GetLane(v); }
#endif

// Returns how many operations it did. `values`: as many ordinary numbers as there are accumulators, all
// different, lest the compiler computes one for all; they are replaced by results.
double f32_loop(int64_t iterations, float* values) {
  Register sums[kAccumulators];
  for (int i = 0; i < kAccumulators; ++i) sums[i] = filled(values[i]);
  const Register half = filled(values[0] * 0.5F), one = filled(values[0]);  // towards 2: no denormals
  for (int64_t n = 0; n < iterations; ++n) {
    for (int i = 0; i < kAccumulators; ++i) sums[i] = multiply_add(sums[i], half, one);
  }
  for (int i = 0; i < kAccumulators; ++i) values[i] = first_lane(sums[i]);
  return 2.0 * kAccumulators * static_cast<double>(kRegisterLanes) * static_cast<double>(iterations);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {

HWY_EXPORT(f32_loop);

using Loop = double (*)(int64_t iterations, float* values);

double best_f32_loop(int64_t iterations, float* values) {
  return HWY_DYNAMIC_DISPATCH(f32_loop)(iterations, values);
}

constexpr int kMostAccumulators = 32;
// Tasks of a sample: several a thread, so that one that is disturbed does not hold up the rest.
constexpr int kTasksPerThread = 4;
constexpr double kTaskSeconds = 0.5e-3;
// A sample copies one of so many slices, which take turns: it is short, so that some are not disturbed, and
// its bytes have long left the caches when it is a slice's turn again.
constexpr size_t kCopySlices = 16;

double run_task(Loop loop, int64_t iterations) {
  float values[kMostAccumulators];
  for (int i = 0; i < kMostAccumulators; ++i) values[i] = 1 + static_cast<float>(i) / 64;
  const double operations = loop(iterations, values);
  __asm__ volatile("" : : "r"(values) : "memory");  // as if they were used; else the loop could go
  return operations;
}

// Calls sample() for that long, at least three times, and returns the best rate; it returns a rate itself.
template <typename Sample>
double best_rate(double seconds, const Sample& sample) {
  double best = 0;
  const Stopwatch watch;
  for (int i = 0; i < 3 || watch.seconds() < seconds; ++i) best = std::max(best, sample());
  return best;
}

double loop_rate(Loop loop, double seconds) {
  int64_t iterations = 1024;
  for (;;) {
    const Stopwatch watch;
    run_task(loop, iterations);
    if (watch.seconds() > kTaskSeconds) break;
    iterations *= 2;
  }
  const int64_t tasks = int64_t{kTasksPerThread} * thread_count();
  return best_rate(seconds, [&] {
    std::vector<double> operations(static_cast<size_t>(tasks));
    const Stopwatch watch;
    parallel_tasks(tasks,
                   [&](int64_t task) { operations[static_cast<size_t>(task)] = run_task(loop, iterations); });
    const double elapsed = watch.seconds();
    double total = 0;
    for (const double each : operations) total += each;
    return total / elapsed;
  });
}

// Of the cache that the first core shares with others; 0 where the system does not say. sysconf() gives the
// sum of all such caches on some machines.
uint64_t last_cache_bytes() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index3/size");  // "32768K"
  uint64_t size = 0;
  char unit = 0;
  return file >> size >> unit && unit == 'K' ? size * kKiB : 0;
}

double copy_rate(double seconds) {
  const size_t bytes = std::clamp<uint64_t>(2 * last_cache_bytes(), 64 * kMiB, 256 * kMiB);
  const auto from = std::make_unique_for_overwrite<std::byte[]>(bytes);
  const auto to = std::make_unique_for_overwrite<std::byte[]>(bytes);
  const int64_t tasks = int64_t{kTasksPerThread} * thread_count();
  const size_t slice = bytes / kCopySlices;
  const auto for_each_piece = [&](size_t first, const auto& body) {
    parallel_tasks(tasks, [&](int64_t task) {
      const size_t begin = slice * static_cast<size_t>(task) / static_cast<size_t>(tasks);
      const size_t end = slice * static_cast<size_t>(task + 1) / static_cast<size_t>(tasks);
      body(first + begin, end - begin);
    });
  };
  // The system gives pages when they are first written, near the core that does.
  for (size_t first = 0; first < bytes; first += slice) {
    for_each_piece(first, [&](size_t begin, size_t count) {
      std::memset(from.get() + begin, 1, count);
      std::memset(to.get() + begin, 1, count);
    });
  }
  size_t next = 0;
  return best_rate(seconds, [&] {
    const size_t first = std::exchange(next, (next + slice) % bytes);
    const Stopwatch watch;
    for_each_piece(
        first, [&](size_t begin, size_t count) { std::memcpy(to.get() + begin, from.get() + begin, count); });
    return 2.0 * static_cast<double>(slice) / watch.seconds();
  });
}

}  // namespace

PeakRates measure_peak_rates(double seconds_each) {
  const Isa isa = used_isa();
  PeakRates rates;
  rates.f32_flops = loop_rate(best_f32_loop, seconds_each);
  if (isa >= Isa::kAvx512Bf16) {
    rates.bf16_flops = loop_rate(isa == Isa::kAmx ? amx_bf16_loop : avx512_bf16_loop, seconds_each);
  }
  rates.copy_bytes = copy_rate(seconds_each);
  return rates;
}

}  // namespace snug
#endif  // HWY_ONCE
