#include "runtime/executor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/scoped_timer.h"
#include "base/stopwatch.h"
#include "plan/keep_weights.h"

namespace snug {
namespace {

const Port& find_port(const std::vector<Port>& ports, std::string_view name) {
  for (const Port& port : ports) {
    if (port.name == name) return port;
  }
  SNUG_CHECK(false, "the phase has this input or output");
}

// Calls move(logical index, stored index) for every element: equal but for pictures, which are stored
// channels-last.
template <typename Move>
void for_each_element(const Shape& shape, Move move) {
  if (shape.rank() < 4) {
    for (int64_t i = 0; i < shape.elements(); ++i) move(i, i);
    return;
  }
  const int64_t channels = shape[1];
  const int64_t pixels = shape.elements() / (shape[0] * channels);
  for (int64_t n = 0; n < shape[0]; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < pixels; ++p) {
        move((n * channels + c) * pixels + p, (n * pixels + p) * channels + c);
      }
    }
  }
}

size_t index_of(const Plan& plan, const Phase& phase) {
  return static_cast<size_t>(&phase - plan.phases.data());
}

}  // namespace

Executor::Executor(const Plan& plan, const KernelSet& kernels, Weights weights,
                   const Cancellation& cancellation, const std::string& scratch_folder)
    : plan_(plan),
      kernels_(kernels),
      weights_(std::move(weights)),
      cancellation_(cancellation),
      arena_(plan.arena_bytes),
      scratch_file_(scratch_folder, plan.scratch_file_bytes),
      records_(plan.phases.size()),
      kept_(plan.phases.size(), false) {
  size_t most = 0;
  for (size_t i = 0; i < plan.phases.size(); ++i) {
    const Phase& phase = plan.phases[i];
    records_[i].run_seconds.reserve(static_cast<size_t>(phase.runs()));
    records_[i].stall_seconds.reserve(static_cast<size_t>(phase.runs()));
    records_[i].kernel_seconds.assign(phase.instructions.size(), 0);
    records_[i].loads.assign(phase.loads.size(), {});
    for (const Node& node : phase.graph.nodes()) most = std::max(most, node.inputs.size());
  }
  operands_.resize(most);
}

Executor::~Executor() = default;

const PhaseRecord& Executor::record(const Phase& phase) const { return records_[index_of(plan_, phase)]; }

std::byte* Executor::address(const Location& location, RunIndex index) {
  if (location.buffer < 0) return nullptr;
  const Buffer& buffer = plan_.buffers[static_cast<size_t>(location.buffer)];
  arena_.touch(buffer.offset, buffer.bytes);
  return arena_.at(buffer.offset + location.offset +
                   location.call_stride * static_cast<uint64_t>(index.call) +
                   location.pass_stride * static_cast<uint64_t>(index.pass));
}

void Executor::begin(const Phase& phase, size_t first_instruction) {
  SNUG_CHECK(first_instruction == 0 || phase.runs() == 1, "a phase that runs once is gone on with");
  const ScopedTimer timer("begin phase");
  leave_phase();
  streamer_.reset();
  PhaseRecord& record = records_[index_of(plan_, phase)];
  record.run_seconds.clear();
  record.stall_seconds.clear();
  std::fill(record.kernel_seconds.begin(), record.kernel_seconds.end(), 0);
  std::fill(record.loads.begin(), record.loads.end(), LoadRecord{});
  record.read_seconds = 0;
  record.read_bytes = 0;
  if (reads_weights(phase)) {
    const auto weights = weights_.find(phase.part);
    SNUG_CHECK(weights != weights_.end(), "the weights of every part");
    std::vector<std::byte*> targets;
    for (const Load& load : phase.loads) targets.push_back(address(load.target, {}));
    const WeightStreamer::Packing packing = {&kernels_, address(phase.packing_room, {})};
    streamer_.emplace(phase, *weights->second, std::move(targets), packing, cancellation_, trace_,
                      kept_[index_of(plan_, phase)], first_instruction);
  }
  phase_ = &phase;
  run_ = 0;
  next_instruction_ = first_instruction;
}

bool Executor::reads_weights(const Phase& phase) const {
  if (!kept_[index_of(plan_, phase)]) return !phase.loads.empty();
  return std::any_of(phase.loads.begin(), phase.loads.end(), [](const Load& load) { return load.every_run; });
}

// After the phase's first run: all that is resident has been read.
void Executor::note_kept(const Phase& phase) {
  kept_[index_of(plan_, phase)] = std::all_of(phase.loads.begin(), phase.loads.end(), [&](const Load& load) {
    return load.every_run || lives_throughout(plan_, plan_.buffers[static_cast<size_t>(load.target.buffer)]);
  });
}

// Ends the streamer and notes what it did. Its memory stays: nothing is freed in a run.
void Executor::leave_phase() {
  if (turn_ != nullptr) turn_->give();
  if (phase_ == nullptr) return;
  PhaseRecord& record = records_[index_of(plan_, *phase_)];
  phase_ = nullptr;
  if (!streamer_.has_value()) return;
  streamer_->stop();
  std::copy(streamer_->records().begin(), streamer_->records().end(), record.loads.begin());
  for (const LoadRecord& load : record.loads) {
    record.read_seconds += load.seconds;
    record.read_bytes += load.bytes;
  }
}

void Executor::set_input(const Phase& phase, std::string_view name, std::span<const float> values, int call,
                         int pass) {
  const ScopedTimer timer("values in");
  const Port& port = find_port(phase.inputs, name);
  const Value& value = phase.graph.value(port.value);
  SNUG_CHECK(value.dtype == DType::kF32 && static_cast<int64_t>(values.size()) == value.shape.elements(),
             "an input has the planned type and size");
  auto* stored = reinterpret_cast<float*>(address(port.location, {call, pass}));
  for_each_element(value.shape,
                   [&](int64_t logical, int64_t at) { stored[at] = values[static_cast<size_t>(logical)]; });
}

void Executor::set_input(const Phase& phase, std::string_view name, std::span<const int32_t> values, int call,
                         int pass) {
  const Port& port = find_port(phase.inputs, name);
  const Value& value = phase.graph.value(port.value);
  SNUG_CHECK(value.dtype == DType::kI32 && static_cast<int64_t>(values.size()) == value.shape.elements(),
             "an input has the planned type and size");
  std::memcpy(address(port.location, {call, pass}), values.data(), values.size_bytes());
}

void Executor::run(const Phase& phase, int call, int pass) {
  const ScopedTimer timer(phase.name);
  SNUG_CHECK(phase_ == &phase, "a phase begins before it runs, and anew after an error");
  SNUG_CHECK(0 <= call && call < phase.calls && 0 <= pass && pass < phase.passes, "a planned run");
  const Stopwatch watch;
  PhaseRecord& record = records_[index_of(plan_, phase)];
  record.stall_seconds.push_back(0);
  const int64_t began_ns = trace_ != nullptr ? trace_->now_ns() : 0;
  // What other runs computed meanwhile is not this one's time.
  const double others_before = turn_ != nullptr ? turn_->waited_seconds() : 0;
  try {
    run_instructions(phase, {call, pass}, record);
  } catch (...) {
    record.stall_seconds.pop_back();
    leave_phase();
    throw;
  }
  const double others_seconds = turn_ != nullptr ? turn_->waited_seconds() - others_before : 0;
  record.run_seconds.push_back(watch.seconds() - others_seconds);
  if (run_ == 0) note_kept(phase);
  if (trace_ != nullptr) trace_->run(phase, run_, began_ns);
  if (++run_ == phase.runs()) leave_phase();
}

void Executor::run_streamed(const Phase& phase, const TakePart& take, int call, int pass) {
  SNUG_CHECK(phase.graph.is_streamed(), "an output that comes in parts");
  take_ = &take;
  try {
    run(phase, call, pass);
  } catch (...) {
    take_ = nullptr;
    throw;
  }
  take_ = nullptr;
}

// What a kernel made of the streamed output, if it made any.
void Executor::hand_over(const Phase& phase, const RunKernel& run, RunIndex index) {
  if (phase.graph.node(run.node).output != phase.outputs.front().value) return;
  OperandView made{address(run.output.location, index), run.output.held};
  const auto* first = reinterpret_cast<const float*>(
      element_at(made, run.part.images.begin, run.part.pixels.begin, 0, static_cast<int64_t>(sizeof(float))));
  (*take_)({run.part.pixels, {first, static_cast<size_t>(run.part.elements())}});
}

void Executor::run_instructions(const Phase& phase, RunIndex index, PhaseRecord& record) {
  const size_t first = std::exchange(next_instruction_, 0);
  for (size_t i = first; i < phase.instructions.size(); ++i) {
    cancellation_.check();
    const Instruction& instruction = phase.instructions[i];
    double waited_seconds = 0;
    if (const auto* kernel = std::get_if<RunKernel>(&instruction); kernel != nullptr && streamer_) {
      waited_seconds = wait_for_weights(*kernel);
      record.stall_seconds.back() += waited_seconds;
    }
    if (turn_ != nullptr) turn_->take();
    const Stopwatch watch;
    std::visit([&](const auto& what) { execute(what, index); }, instruction);
    const double seconds = watch.seconds();
    record.kernel_seconds[i] += seconds;
    if (trace_ != nullptr) trace_->instruction(phase, run_, i, waited_seconds, seconds);
    next_instruction_ = i + 1;
    if (take_ != nullptr) {
      if (const auto* kernel = std::get_if<RunKernel>(&instruction)) hand_over(phase, *kernel, index);
    }
    if (streamer_) streamer_->instruction_done();
  }
  next_instruction_ = 0;
}

// Others compute while weights are on their way.
double Executor::wait_for_weights(const RunKernel& kernel) {
  if (turn_ != nullptr && !streamer_->has(run_, kernel.loads_needed)) turn_->give();
  return streamer_->wait_for(run_, kernel.loads_needed);
}

void Executor::execute(const RunKernel& run, RunIndex index) {
  for (size_t i = 0; i < run.inputs.size(); ++i) {
    operands_[i] = {address(run.inputs[i].location, index), run.inputs[i].held};
  }
  KernelArgs args;
  args.inputs = {operands_.data(), run.inputs.size()};
  args.output = address(run.output.location, index);
  args.output_held = run.output.held;
  args.part = run.part;
  args.scratch = address(run.scratch, index);
  kernels_.kernel(run.kernel).run(args);
}

void Executor::execute(const Move& move, RunIndex index) {
  std::memmove(address(move.to, index), address(move.from, index), move.bytes);
}

void Executor::execute(const Spill& spill, RunIndex index) {
  scratch_file_.write(spill.file_offset, {address(spill.from, index), spill.bytes}, cancellation_);
}

void Executor::execute(const Restore& restore, RunIndex index) {
  scratch_file_.read(restore.file_offset, {address(restore.to, index), restore.bytes}, cancellation_);
}

void Executor::read_output(const Phase& phase, std::string_view name, std::span<float> values, int call,
                           int pass) {
  const ScopedTimer timer("values out");
  const Port& port = find_port(phase.outputs, name);
  const Value& value = phase.graph.value(port.value);
  SNUG_CHECK(value.dtype == DType::kF32 && static_cast<int64_t>(values.size()) == value.shape.elements(),
             "an output has the planned type and size");
  const auto* stored = reinterpret_cast<const float*>(address(port.location, {call, pass}));
  for_each_element(value.shape,
                   [&](int64_t logical, int64_t at) { values[static_cast<size_t>(logical)] = stored[at]; });
}

}  // namespace snug
