// When each thing of a run happened: instructions and waiting on the executor's track, loads on the weight
// streamer's, stages on a third. Filled by the executor, the streamer and pipeline/generate.cc while a run
// has one; `snug profile --trace` writes it (pipeline/trace_file.h).
//
// All memory is taken and touched in the constructor: one made before the plan counts as the process's in the
// plan's peak. What does not fit is dropped and counted.
//
// Threads: each track has one writer at a time and takes no lock. Read it when the run is over.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace snug {

struct Phase;

enum class TraceTrack : uint8_t { kExecutor, kLoads, kStages };
inline constexpr int kTraceTracks = 3;

enum class TraceKind : uint8_t { kRun, kInstruction, kWait, kLoad, kStage };

struct TraceEvent {
  int64_t begin_ns = 0, end_ns = 0;  // since the trace was made
  const Phase* phase = nullptr;      // of the plan that ran; null for stages
  const char* name = nullptr;        // of a stage: a literal
  int32_t run = 0;                   // of the phase; of a step's stage, the step
  int32_t index = -1;                // of the phase's instruction (of kWait: the one that waited) or load
  TraceKind kind = TraceKind::kStage;
};

class RunTrace {
 public:
  // Room for about 200 000 events: 50 steps of a large UNet in bands.
  static constexpr size_t kDefaultBytes = size_t{8} << 20;

  // Throws std::bad_alloc.
  explicit RunTrace(size_t bytes = kDefaultBytes);

  int64_t now_ns() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
  }

  // Each ends now. A duration is the caller's own measurement, so that sums over a trace are those of the
  // records.
  void instruction(const Phase& phase, int run, size_t index, double waited_seconds, double seconds);
  void run(const Phase& phase, int run, int64_t begin_ns);
  void load(const Phase& phase, int run, size_t index, double seconds);
  void stage(const char* name, int step, int64_t begin_ns);

  // In the order in which they ended.
  std::span<const TraceEvent> events(TraceTrack track) const;
  int64_t dropped() const;  // of all tracks
  size_t bytes() const;     // that it holds

 private:
  using Clock = std::chrono::steady_clock;
  struct Lane {
    std::vector<TraceEvent> events;
    size_t count = 0;
    int64_t dropped = 0;
  };
  void add(TraceTrack track, const TraceEvent& event);
  Lane& lane(TraceTrack track) { return lanes_[static_cast<size_t>(track)]; }
  const Lane& lane(TraceTrack track) const { return lanes_[static_cast<size_t>(track)]; }

  Clock::time_point start_ = Clock::now();
  std::array<Lane, kTraceTracks> lanes_;
};

}  // namespace snug
