#include "plan/proof.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace snug {
namespace {

// Replays a plan and keeps the first fault it meets.
class Replay {
 public:
  explicit Replay(const Plan& plan) : plan_(plan), contents_(plan.buffers.size()) {}

  Proof run() {
    check_buffers();
    sweep();
    int time = 0;
    for (const Phase& phase : plan_.phases) {
      if (!proof_.fault.empty()) break;
      replay(phase, time);
      time += static_cast<int>(phase.instructions.size());
    }
    if (proof_.peak_bytes != plan_.arena_bytes) {
      fail("buffers reach byte {} of an arena of {}", proof_.peak_bytes, plan_.arena_bytes);
    }
    return std::move(proof_);
  }

 private:
  // What was written into a buffer last.
  struct Content {
    const Phase* phase = nullptr;  // whose value it is; null: nothing
    ValueId value = kNoValue;
    int kernel = -1, input = -1;  // of a packed weight: who reads it, and as what
    bool operator==(const Content&) const = default;
  };

  template <typename... Args>
  void fail(fmt::format_string<Args...> format, Args&&... args) {
    if (proof_.fault.empty()) proof_.fault = fmt::format(format, std::forward<Args>(args)...);
  }

  int instruction_count() const {
    size_t count = 0;
    for (const Phase& phase : plan_.phases) count += phase.instructions.size();
    return static_cast<int>(count);
  }

  void check_buffers() {
    const int instructions = instruction_count();
    for (const Buffer& buffer : plan_.buffers) {
      if (buffer.first_use < 0 || buffer.last_use < buffer.first_use || buffer.last_use >= instructions) {
        fail("'{}' lives from {} to {} in a plan of {}", buffer.name, buffer.first_use, buffer.last_use,
             instructions);
      }
      if (buffer.offset % kBufferAlignment != 0) {
        fail("'{}' begins at byte {}, off its alignment", buffer.name, buffer.offset);
      }
    }
  }

  // Goes over time with the live buffers ordered by offset; neighbours must not touch.
  void sweep() {
    if (!proof_.fault.empty()) return;
    const auto instructions = static_cast<size_t>(instruction_count());
    std::vector<std::vector<size_t>> begins(instructions), ends(instructions);
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      const Buffer& buffer = plan_.buffers[i];
      if (buffer.bytes == 0) continue;
      begins[static_cast<size_t>(buffer.first_use)].push_back(i);
      ends[static_cast<size_t>(buffer.last_use)].push_back(i);
      proof_.peak_bytes = std::max(proof_.peak_bytes, buffer.offset + buffer.bytes);
    }
    std::map<uint64_t, size_t> live;
    uint64_t live_bytes = 0;
    for (size_t time = 0; time < instructions; ++time) {
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

  void replay(const Phase& phase, int begin) {
    if (phase.first_instruction != begin) {
      return fail("'{}' begins at {}, not at {}", phase.name, phase.first_instruction, begin);
    }
    phase_ = &phase;
    end_ = begin + static_cast<int>(phase.instructions.size()) - 1;
    linked_.clear();
    int first_kernel = begin;
    for (const Instruction& instruction : phase.instructions) {
      const auto* load = std::get_if<LoadWeight>(&instruction);
      if (load == nullptr) break;
      replay(*load, first_kernel++);
    }
    // The second call meets what the first one left behind; later ones meet the same.
    for (int call = 0; call < std::min(phase.calls, 2); ++call) replay_call(first_kernel);
  }

  void replay_call(int first_kernel) {
    for (const Port& port : phase_->inputs) write_input(port, first_kernel);
    for (int time = first_kernel; time <= end_; ++time) {
      const Instruction& instruction =
          phase_->instructions[static_cast<size_t>(time - phase_->first_instruction)];
      const auto* run = std::get_if<RunKernel>(&instruction);
      if (run == nullptr) return fail("'{}' loads a weight after its first kernel", phase_->name);
      replay(*run, time);
    }
    for (const Port& port : phase_->outputs) check_output(port);
  }

  void replay(const LoadWeight& load, int time) {
    const Value& value = phase_->graph.value(load.value);
    use(load.target, load.form.bytes, time, value.name);
    if (load.form.packed) use(load.staging, staging_bytes(value), time, "staging");
    if (load.form.packed && load.staging.buffer == load.target.buffer)
      fail("'{}' is packed in place", value.name);
    write(load.target,
          {phase_, load.value, load.form.packed ? load.kernel : -1, load.form.packed ? load.input : -1});
  }

  // The host writes every input before the first kernel of a call.
  void write_input(const Port& port, int time) {
    const Value& value = phase_->graph.value(port.value);
    use(port.location, static_cast<uint64_t>(value.bytes()), time, value.name);
    write(port.location, {phase_, port.value});
  }

  void replay(const RunKernel& run, int time) {
    const Node& node = phase_->graph.node(run.node);
    const Value& out = phase_->graph.value(node.output);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue) read(run, i, node.inputs[i], time);
    }
    use(run.output, static_cast<uint64_t>(out.bytes()), time, out.name);
    if (run.scratch_bytes > 0) {
      use(run.scratch, run.scratch_bytes, time, "scratch");
      write(run.scratch, {phase_, kNoValue});
      if (run.scratch.buffer == run.output.buffer) fail("the scratch of '{}' is its output", out.name);
    }
    for (const Location& input : run.inputs) {
      if (input.buffer < 0) continue;
      if (input.buffer == run.output.buffer || input.buffer == run.scratch.buffer) {
        fail("'{}' overwrites its own operand", out.name);
      }
    }
    write(run.output, {phase_, node.output});
  }

  void read(const RunKernel& run, size_t index, ValueId id, int time) {
    const ValueId base = base_of(id);
    const Value& value = phase_->graph.value(base);
    const Location& location = run.inputs[index];
    if (value.kind == ValueKind::kWeight) {
      use(location, 0, time, value.name);
      const Content packed{phase_, base, run.kernel, static_cast<int>(index)};
      if (!holds(location, packed) && !holds(location, {phase_, base})) {
        fail("'{}' is read from where it was not loaded", value.name);
      }
      check_kept(location, value.name);
      return;
    }
    use(location, static_cast<uint64_t>(value.bytes()), time, value.name);
    if (holds(location, {phase_, base})) return;
    if (value.kind == ValueKind::kComputed || is_port(base)) {
      return fail("'{}' is read from where it is not", value.name);
    }
    check_link(location, base, value);
  }

  // An input that the host does not write is an output of an earlier phase: whole, or a row for each call.
  void check_link(const Location& location, ValueId id, const Value& value) {
    const auto [found, fresh] = linked_.try_emplace(id, location);
    if (!fresh && found->second != location) {
      fail("'{}' is read from two places", value.name);
    } else if (!is_earlier_output(location)) {
      fail("'{}' is read from where no earlier phase left it", value.name);
    } else if (location.call_stride != 0 && location.call_stride != static_cast<uint64_t>(value.bytes())) {
      fail("'{}' is read by rows of another size", value.name);
    }
    check_kept(location, value.name);
  }

  bool is_earlier_output(const Location& location) const {
    for (const Phase& earlier : plan_.phases) {
      if (&earlier == phase_) break;
      for (const Port& port : earlier.outputs) {
        if (port.location.buffer != location.buffer || port.location.offset != location.offset) continue;
        const Content& content = contents_[static_cast<size_t>(location.buffer)];
        if (content.phase == &earlier && content.value == base_of(earlier.graph, port.value)) return true;
      }
    }
    return false;
  }

  // What one call leaves for the next must outlive the call.
  void check_kept(const Location& location, const std::string& what) {
    if (location.buffer < 0 || phase_->calls == 1) return;
    if (plan_.buffers[static_cast<size_t>(location.buffer)].last_use < end_) {
      fail("'{}' is gone before '{}' has run all its calls", what, phase_->name);
    }
  }

  void check_output(const Port& port) {
    const Value& value = phase_->graph.value(port.value);
    use(port.location, static_cast<uint64_t>(value.bytes()), end_, value.name);
    const ValueId base = base_of(port.value);
    const bool is_link = phase_->graph.value(base).kind == ValueKind::kInput && !is_port(base);
    if (!is_link && !holds(port.location, {phase_, base}))
      fail("the output '{}' was not written", value.name);
  }

  bool is_port(ValueId id) const {
    return std::any_of(phase_->inputs.begin(), phase_->inputs.end(),
                       [&](const Port& port) { return port.value == id; });
  }

  // The value whose bytes these are, through views.
  static ValueId base_of(const Graph& graph, ValueId id) {
    for (NodeId maker = graph.value(id).producer; maker != kNoNode; maker = graph.value(id).producer) {
      const Node& node = graph.node(maker);
      if (!op_info(node.op).is_view) break;
      id = node.inputs[0];
    }
    return id;
  }
  ValueId base_of(ValueId id) const { return base_of(phase_->graph, id); }

  bool is_buffer(const Location& location) const {
    return location.buffer >= 0 && static_cast<size_t>(location.buffer) < plan_.buffers.size();
  }

  // Values are written at their buffer's start, one to a buffer.
  bool holds(const Location& location, const Content& content) const {
    return is_buffer(location) && location.offset == 0 && location.call_stride == 0 &&
           contents_[static_cast<size_t>(location.buffer)] == content;
  }

  void write(const Location& location, const Content& content) {
    if (!is_buffer(location)) return;
    if (location.offset != 0 || location.call_stride != 0)
      fail("a value is written beside its buffer's start");
    contents_[static_cast<size_t>(location.buffer)] = content;
  }

  void use(const Location& location, uint64_t bytes, int time, const std::string& what) {
    if (!is_buffer(location)) return fail("'{}' has no buffer", what);
    const Buffer& buffer = plan_.buffers[static_cast<size_t>(location.buffer)];
    const uint64_t last_call = location.call_stride * static_cast<uint64_t>(phase_->calls - 1);
    if (location.offset + last_call + bytes > buffer.bytes)
      fail("'{}' leaves the buffer '{}'", what, buffer.name);
    if (time < buffer.first_use || time > buffer.last_use) {
      fail("'{}' is used at {}, outside the life of '{}'", what, time, buffer.name);
    }
  }

  const Plan& plan_;
  Proof proof_;
  std::vector<Content> contents_;  // by buffer
  const Phase* phase_ = nullptr;   // under replay, and its last instruction
  int end_ = 0;
  std::map<ValueId, Location> linked_;  // inputs that earlier phases make, where they were first read
};

}  // namespace

Proof prove(const Plan& plan) { return Replay(plan).run(); }

}  // namespace snug
