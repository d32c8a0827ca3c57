// How fast this machine is, for predicting times: what `snug calibrate` measures (pipeline/calibrate.h) and
// cost_model.h uses. Rates are of the whole machine, all its cores together, unless a name says otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace snug {

// Kinds of work with a rate of their own.
enum class WorkKind : uint8_t { kProduct, kConvolution, kAttention, kMemory };
inline constexpr int kWorkKinds = 4;
std::string_view work_kind_name(WorkKind kind);

enum class RatesSource : uint8_t {
  kBuiltIn,   // a guess by instruction set and cores
  kMeasured,  // by `snug calibrate` on this machine
  kRefined,   // corrected by recorded runs
  kScaled,    // measured here with another number of threads, and turned into this one
};
std::string_view rates_source_name(RatesSource source);

// What was measured of both precisions at one time. Refining follows runs in one of them and leaves this: it
// is what the two can be compared by.
struct CalibratedRates {
  std::array<double, kWorkKinds> f32_flops = {}, bf16_flops = {};
  double memory_bytes = 0;  // 0: never measured
};

struct Rates {
  RatesSource source = RatesSource::kBuiltIn;
  // FLOP/s of nominal work, by kind (kMemory: 0, it is bound by bytes) in F32 and in BF16.
  std::array<double, kWorkKinds> f32_flops = {80e9, 80e9, 60e9, 0};
  std::array<double, kWorkKinds> bf16_flops = {80e9, 80e9, 60e9, 0};
  double memory_bytes = 10e9;      // read and written per second by simple kernels
  double expand_elements = 1e9;    // weights turned into the kernel's own form, in each run of it
  double read_bytes = 1e9;         // from the file of the model, per second, out of the system's page cache
  double direct_read_bytes = 1e9;  // past it, from the disk (FileAccess::direct)
  double spill_bytes = 0.5e9;      // to and from the scratch file
  double read_core_seconds = 0;    // of one core, per byte read: what the streamer takes from the kernels
  double kernel_seconds = 10e-6;   // of each run of a kernel, whatever its size
  int threads = 1;                 // with which they were measured
  CalibratedRates calibrated;
};

// `rates` as they were calibrated, without what runs have refined; nothing when they never were.
std::optional<Rates> as_calibrated(const Rates& rates);

// A guess for a machine that nobody has measured. `instruction_set` is a name of backend/cpu/isa.h
// ("avx512"); one that is not known counts as plain loops.
Rates built_in_rates(std::string_view instruction_set, int threads);

// `rates`, of that many cores computing at once, as those of another number: what cores do alone grows with
// them, memory up to a few, the disk and what each kernel costs not at all.
Rates scale_to_cores(const Rates& rates, double from_cores, double to_cores, int threads);

// What a run was predicted to take and took, by kind of work. A kind that is too short to tell, or that did
// not occur, has zeros.
struct WorkSeconds {
  std::array<double, kWorkKinds> predicted = {}, actual = {};
};

// The rates after a run with activations in `precision`: each kind's moves towards what would have predicted
// the run, by an exponential average, never by more than a factor of 2. What is no plausible measurement
// (under a millisecond, not finite) is left out; nothing changes then, not even the source.
Rates refine(const Rates& rates, DType precision, const WorkSeconds& seconds);

}  // namespace snug
