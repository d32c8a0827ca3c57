#include "pipeline/trace_file.h"

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "media/atomic_file.h"
#include "plan/live_bytes.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr size_t kPieceBytes = 64 << 10;

const char* track_name(TraceTrack track) {
  switch (track) {
    case TraceTrack::kExecutor: return "executor: runs, kernels, moves, waiting";
    case TraceTrack::kLoads: return "weight streamer: loads";
    case TraceTrack::kStages: return "stages";
  }
  return "";
}

double microseconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

std::string text(Interval interval) { return fmt::format("[{}, {})", interval.begin, interval.end); }

// "whole", or what of it: "rows of pixels [0, 1024)".
std::string part_text(const Region& part, const Region& whole) {
  if (part == whole) return "whole";
  std::string list;
  const auto add = [&](const char* what, Interval own, Interval all) {
    if (own.begin == all.begin && own.end == all.end) return;
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", what, text(own));
  };
  add("images", part.images, whole.images);
  add("pixels", part.pixels, whole.pixels);
  add("channels", part.channels, whole.channels);
  return list;
}

void describe(const Phase& phase, const RunKernel& run, ordered_json& event) {
  const Node& node = phase.graph.node(run.node);
  const Value& output = phase.graph.value(node.output);
  const Region whole = whole_region(output.shape);
  const double share =
      static_cast<double>(run.part.elements()) / static_cast<double>(std::max<int64_t>(1, whole.elements()));
  event["name"] = op_info(node.op).name;
  event["cat"] = "kernel";
  event["args"].update({{"op", op_info(node.op).name},
                        {"kernel", phase.kernel_names[static_cast<size_t>(run.node)]},
                        {"node", output.name},
                        {"shape", fmt::format("{} {}", output.shape.text(), dtype_info(output.dtype).name)},
                        {"part", part_text(run.part, whole)},
                        {"flops", phase.graph.cost(node).flops * share},
                        {"predicted_us", run.predicted_seconds * 1e6}});
}
void describe(const Phase& /*phase*/, const Move& move, ordered_json& event) {
  event["name"] = "move rows";
  event["cat"] = "move";
  event["args"]["bytes"] = move.bytes;
}
void describe(const Phase& /*phase*/, const Spill& spill, ordered_json& event) {
  event["name"] = "spill";
  event["cat"] = "scratch";
  event["args"]["bytes"] = spill.bytes;
}
void describe(const Phase& /*phase*/, const Restore& restore, ordered_json& event) {
  event["name"] = "restore";
  event["cat"] = "scratch";
  event["args"]["bytes"] = restore.bytes;
}

ordered_json event_json(const TraceEvent& event, TraceTrack track) {
  ordered_json json = {{"ph", "X"},
                       {"pid", 1},
                       {"tid", static_cast<int>(track) + 1},
                       {"ts", microseconds(event.begin_ns)},
                       {"dur", microseconds(event.end_ns - event.begin_ns)},
                       {"name", ""},
                       {"cat", ""},
                       {"args", ordered_json::object()}};
  if (event.phase != nullptr) json["args"] = {{"phase", event.phase->name}, {"run", event.run}};
  const auto index = static_cast<size_t>(event.index);
  switch (event.kind) {
    case TraceKind::kRun:
      json["name"] = event.phase->name;
      json["cat"] = "run";
      break;
    case TraceKind::kInstruction:
      std::visit([&](const auto& what) { describe(*event.phase, what, json); },
                 event.phase->instructions[index]);
      break;
    case TraceKind::kWait:
      json["name"] = "wait for weights";
      json["cat"] = "wait";
      break;
    case TraceKind::kLoad: {
      const Load& load = event.phase->loads[index];
      const Value& weight = event.phase->graph.value(load.value);
      const Interval rows = {weight.first_row + load.rows.begin, weight.first_row + load.rows.end};
      json["name"] = weight.name;
      json["cat"] = "load";
      json["args"].update({{"rows", text(rows)}, {"bytes_in_memory", load.bytes}});
      break;
    }
    case TraceKind::kStage:
      json["name"] = event.name;
      json["cat"] = "stage";
      if (event.run > 0) json["args"]["step"] = event.run;
      break;
  }
  return json;
}

// Collects text and hands it on in pieces.
class Pieces {
 public:
  explicit Pieces(const WritePiece& write) : write_(write) {}
  void add(const std::string& text) {
    piece_ += text;
    if (piece_.size() >= kPieceBytes) flush();
  }
  void flush() {
    write_(std::as_bytes(std::span(piece_)));
    piece_.clear();
  }

 private:
  const WritePiece& write_;
  std::string piece_;
};

std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string counter(const char* name, int64_t at_ns, uint64_t bytes) {
  return ",\n" + dump({{"ph", "C"},
                       {"pid", 1},
                       {"ts", microseconds(at_ns)},
                       {"name", name},
                       {"args", {{"bytes", bytes}}}});
}

void add_measured_memory(Pieces& pieces, const MemorySamples& memory) {
  for (const MemorySample& sample : memory.samples()) {
    // Those before the trace was made are of no time in it.
    if (sample.at_ns < 0) continue;
    pieces.add(counter("process bytes, measured", sample.at_ns, sample.resident_bytes));
    pieces.add(counter("arena bytes, measured", sample.at_ns, sample.arena_bytes));
  }
}

// What the plan has alive when each instruction ran; told where it changes.
void add_planned_memory(Pieces& pieces, const RunTrace& trace, const Plan& plan) {
  const std::vector<std::vector<uint64_t>> live = live_bytes(plan);
  std::optional<uint64_t> last;
  for (const TraceEvent& event : trace.events(TraceTrack::kExecutor)) {
    if (event.kind != TraceKind::kInstruction) continue;
    const auto phase = static_cast<size_t>(event.phase - plan.phases.data());
    const uint64_t now = live[phase][static_cast<size_t>(event.index)];
    if (now == last) continue;
    last = now;
    pieces.add(counter("arena bytes, planned", event.begin_ns, now));
    pieces.add(counter("process bytes, planned", event.begin_ns, now + plan.process_bytes + plan.host_bytes));
  }
}

}  // namespace

void write_trace(const std::string& path, const RunTrace& trace, const Plan& plan,
                 const MemorySamples* memory) {
  write_file_atomically(path, [&](const WritePiece& write) {
    Pieces pieces(write);
    pieces.add(fmt::format(
        "{{\"displayTimeUnit\":\"ms\",\"otherData\":{},\n\"traceEvents\":[\n",
        dump({{"program", "snug"}, {"phases", plan.phases.size()}, {"events_dropped", trace.dropped()}})));
    pieces.add(R"({"ph":"M","pid":1,"name":"process_name","args":{"name":"snug"}})");
    for (int t = 0; t < kTraceTracks; ++t) {
      const auto track = static_cast<TraceTrack>(t);
      pieces.add(",\n" + dump({{"ph", "M"},
                               {"pid", 1},
                               {"tid", t + 1},
                               {"name", "thread_name"},
                               {"args", {{"name", track_name(track)}}}}));
      for (const TraceEvent& event : trace.events(track)) pieces.add(",\n" + dump(event_json(event, track)));
    }
    add_planned_memory(pieces, trace, plan);
    if (memory != nullptr) add_measured_memory(pieces, *memory);
    pieces.add("\n]}\n");
    pieces.flush();
  });
}

}  // namespace snug
