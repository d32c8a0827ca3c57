#include "runtime/run_trace.h"

namespace snug {
namespace {

// Of the room for events. A run has fewer loads than instructions, and few stages.
constexpr size_t kLoadsDivisor = 4, kStagesDivisor = 64;

int64_t nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

}  // namespace

RunTrace::RunTrace(size_t bytes) {
  const size_t events = bytes / sizeof(TraceEvent);
  // Values are written, so the pages are there.
  lane(TraceTrack::kLoads).events.resize(events / kLoadsDivisor);
  lane(TraceTrack::kStages).events.resize(events / kStagesDivisor);
  lane(TraceTrack::kExecutor).events.resize(events - events / kLoadsDivisor - events / kStagesDivisor);
}

void RunTrace::add(TraceTrack track, const TraceEvent& event) {
  Lane& own = lane(track);
  if (own.count == own.events.size()) {
    ++own.dropped;
    return;
  }
  own.events[own.count++] = event;
}

void RunTrace::instruction(const Phase& phase, int run, size_t index, double waited_seconds, double seconds) {
  const int64_t end_ns = now_ns();
  const int64_t begin_ns = end_ns - nanoseconds(seconds);
  const auto at = static_cast<int32_t>(index);
  if (waited_seconds > 0) {
    add(TraceTrack::kExecutor,
        {begin_ns - nanoseconds(waited_seconds), begin_ns, &phase, nullptr, run, at, TraceKind::kWait});
  }
  add(TraceTrack::kExecutor, {begin_ns, end_ns, &phase, nullptr, run, at, TraceKind::kInstruction});
}

void RunTrace::run(const Phase& phase, int run, int64_t begin_ns) {
  add(TraceTrack::kExecutor, {begin_ns, now_ns(), &phase, nullptr, run, -1, TraceKind::kRun});
}

void RunTrace::load(const Phase& phase, int run, size_t index, double seconds) {
  const int64_t end_ns = now_ns();
  add(TraceTrack::kLoads, {end_ns - nanoseconds(seconds), end_ns, &phase, nullptr, run,
                           static_cast<int32_t>(index), TraceKind::kLoad});
}

void RunTrace::stage(const char* name, int step, int64_t begin_ns) {
  add(TraceTrack::kStages, {begin_ns, now_ns(), nullptr, name, step, -1, TraceKind::kStage});
}

std::span<const TraceEvent> RunTrace::events(TraceTrack track) const {
  return std::span(lane(track).events).first(lane(track).count);
}

int64_t RunTrace::dropped() const {
  int64_t dropped = 0;
  for (const Lane& own : lanes_) dropped += own.dropped;
  return dropped;
}

size_t RunTrace::bytes() const {
  size_t events = 0;
  for (const Lane& own : lanes_) events += own.events.size();
  return events * sizeof(TraceEvent);
}

}  // namespace snug
