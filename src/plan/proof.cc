#include "plan/proof.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace snug {
namespace {

// Replays a plan and keeps the first fault it meets.
class Replay {
 public:
  explicit Replay(const Plan& plan) : plan_(plan) {}

  Proof run() {
    check_overlaps();
    for (const Phase& phase : plan_.phases) replay(phase);
    if (proof_.fault.empty() && proof_.peak_bytes > plan_.arena_bytes) {
      fail("buffers reach byte {} of an arena of {}", proof_.peak_bytes, plan_.arena_bytes);
    }
    return std::move(proof_);
  }

 private:
  template <typename... Args>
  void fail(fmt::format_string<Args...> format, Args&&... args) {
    if (proof_.fault.empty()) proof_.fault = fmt::format(format, std::forward<Args>(args)...);
  }

  // Sweeps over time with the live buffers ordered by offset; neighbours must not touch.
  void check_overlaps() {
    const int instructions = instruction_count();
    std::vector<std::vector<size_t>> begins(static_cast<size_t>(instructions) + 1);
    std::vector<std::vector<size_t>> ends(static_cast<size_t>(instructions) + 1);
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      const Buffer& buffer = plan_.buffers[i];
      if (buffer.first_use < 0 || buffer.last_use < buffer.first_use || buffer.last_use >= instructions) {
        return fail("'{}' lives from {} to {} in a plan of {}", buffer.name, buffer.first_use,
                    buffer.last_use, instructions);
      }
      if (buffer.bytes == 0) continue;
      begins[static_cast<size_t>(buffer.first_use)].push_back(i);
      ends[static_cast<size_t>(buffer.last_use)].push_back(i);
      proof_.peak_bytes = std::max(proof_.peak_bytes, buffer.offset + buffer.bytes);
    }
    std::map<uint64_t, size_t> live;
    uint64_t live_bytes = 0;
    for (size_t time = 0; time < static_cast<size_t>(instructions); ++time) {
      for (const size_t i : begins[time]) {
        insert(live, i);
        live_bytes += plan_.buffers[i].bytes;
      }
      proof_.live_bytes.push_back(live_bytes);
      for (const size_t i : ends[time]) {
        live.erase(plan_.buffers[i].offset);
        live_bytes -= plan_.buffers[i].bytes;
      }
    }
  }

  void insert(std::map<uint64_t, size_t>& live, size_t index) {
    const Buffer& buffer = plan_.buffers[index];
    const auto next = live.lower_bound(buffer.offset);
    if (next != live.end() && next->first < buffer.offset + buffer.bytes) {
      return fail("'{}' and '{}' overlap", buffer.name, plan_.buffers[next->second].name);
    }
    if (next != live.begin()) {
      const Buffer& before = plan_.buffers[std::prev(next)->second];
      if (before.offset + before.bytes > buffer.offset)
        fail("'{}' and '{}' overlap", before.name, buffer.name);
    }
    live.emplace(buffer.offset, index);
  }

  void replay(const Phase& phase) {
    for (const Port& port : phase.inputs) written_.insert(port.location.buffer);
    int time = phase.first_instruction;
    for (const Instruction& instruction : phase.instructions) {
      if (const auto* load = std::get_if<LoadWeight>(&instruction)) {
        use(phase, load->target, load->form.bytes, time, "weight");
        if (load->staging.buffer >= 0) use(phase, load->staging, 0, time, "staging");
        written_.insert(load->target.buffer);
      } else {
        replay(phase, std::get<RunKernel>(instruction), time);
      }
      ++time;
    }
  }

  void replay(const Phase& phase, const RunKernel& run, int time) {
    const Node& node = phase.graph.node(run.node);
    for (size_t i = 0; i < run.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      const Value& value = phase.graph.value(node.inputs[i]);
      const auto bytes =
          value.kind == ValueKind::kWeight ? uint64_t{0} : static_cast<uint64_t>(value.bytes());
      use(phase, run.inputs[i], bytes, time, value.name);
      if (!written_.contains(run.inputs[i].buffer)) fail("'{}' is read before it is written", value.name);
    }
    const Value& out = phase.graph.value(node.output);
    use(phase, run.output, static_cast<uint64_t>(out.bytes()), time, out.name);
    written_.insert(run.output.buffer);
    if (run.scratch.buffer >= 0) use(phase, run.scratch, 0, time, "scratch");
  }

  void use(const Phase& phase, const Location& location, uint64_t bytes, int time, const std::string& what) {
    if (location.buffer < 0 || static_cast<size_t>(location.buffer) >= plan_.buffers.size()) {
      return fail("'{}' has no buffer", what);
    }
    const Buffer& buffer = plan_.buffers[static_cast<size_t>(location.buffer)];
    const uint64_t last_call = location.call_stride * static_cast<uint64_t>(phase.calls - 1);
    if (location.offset + last_call + bytes > buffer.bytes)
      fail("'{}' leaves the buffer '{}'", what, buffer.name);
    if (time < buffer.first_use || time > buffer.last_use) {
      fail("'{}' is used at {}, outside the life of '{}'", what, time, buffer.name);
    }
  }

  int instruction_count() const {
    int count = 0;
    for (const Phase& phase : plan_.phases) count += static_cast<int>(phase.instructions.size());
    return count;
  }

  const Plan& plan_;
  Proof proof_;
  std::set<int> written_;
};

}  // namespace

Proof prove(const Plan& plan) { return Replay(plan).run(); }

}  // namespace snug
