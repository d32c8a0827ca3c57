// What held a run back: one finding, with the numbers that it rests on. Made by bottlenecks.h for one run and
// by window_bottlenecks.h for many; kept in the table `bottleneck` by run_analyst.h, shown by pages and
// reports.
//
// Seconds and shares are of the job's time, from acceptance to end. The severity of what could be avoided is
// a word for its share: critical from 50 %, high from 25 %, medium from 10 %, low from 2 %; below that
// nothing is said. Compute and memory bandwidth are what a run is made of: their severity is "info".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace snug {

enum class BottleneckKind : uint8_t {
  kCompute,          // arithmetic: more FLOPs for each byte than the machine does
  kMemoryBandwidth,  // fewer
  kDisk,             // kernels waited for weights longer than reading should take
  kTransfer,         // to and from a GPU
  kQueue,            // other jobs went first, or shared the cores
  kLoad,             // opening the model and its first weights, which a kept model has
  kMemoryPressure,   // what streaming, spilling and the machine's lack of memory cost
  kThrottling,       // the cores were held back, by a quota or by heat
  kOtherPrograms,    // other programs had cores that the run wanted
};
inline constexpr size_t kBottleneckKinds = 9;
// "compute", "memory_bandwidth", ...
std::string_view bottleneck_kind_name(BottleneckKind kind);
// By another setting, another time or a better machine around the same cores.
bool is_avoidable(BottleneckKind kind);

inline constexpr double kLeastShare = 0.02;       // that is worth a word
inline constexpr double kSignificantShare = 0.1;  // that comes before compute
std::string_view severity_of(BottleneckKind kind, double share);

// Its JSON may throw where memory is refused, which its members are declared not to.
// NOLINTNEXTLINE(bugprone-exception-escape)
struct Bottleneck {
  BottleneckKind kind = BottleneckKind::kCompute;
  std::string severity;
  double share = 0;  // 0..1
  double seconds = 0;
  std::string phase;  // empty: the whole job
  std::string description, recommendation;
  nlohmann::ordered_json evidence;  // numbers by name with unit, and where they are from
};

// What could not be told of a run, and why not.
struct Undecided {
  BottleneckKind kind = BottleneckKind::kCompute;
  std::string reason;
};

using KindSeconds = std::array<double, kBottleneckKinds>;

nlohmann::ordered_json to_json(const Bottleneck& bottleneck);
nlohmann::ordered_json to_json(const Undecided& undecided);

}  // namespace snug
