#include "runtime/executor.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "base/stopwatch.h"

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
                   const Cancellation& cancellation)
    : plan_(plan),
      kernels_(kernels),
      weights_(std::move(weights)),
      cancellation_(cancellation),
      arena_(plan.arena_bytes),
      records_(plan.phases.size()) {
  size_t most = 0;
  for (size_t i = 0; i < plan.phases.size(); ++i) {
    const Phase& phase = plan.phases[i];
    records_[i].call_seconds.reserve(static_cast<size_t>(phase.calls));
    records_[i].kernel_seconds.assign(phase.instructions.size(), 0);
    for (const Node& node : phase.graph.nodes()) most = std::max(most, node.inputs.size());
  }
  operands_.resize(most);
}

const PhaseRecord& Executor::record(const Phase& phase) const { return records_[index_of(plan_, phase)]; }

std::byte* Executor::address(const Location& location, int call) {
  if (location.buffer < 0) return nullptr;
  const Buffer& buffer = plan_.buffers[static_cast<size_t>(location.buffer)];
  arena_.touch(buffer.offset, buffer.bytes);
  return arena_.at(buffer.offset + location.offset + location.call_stride * static_cast<uint64_t>(call));
}

void Executor::load(const Phase& phase) {
  const Stopwatch watch;
  PhaseRecord& record = records_[index_of(plan_, phase)];
  for (const Instruction& instruction : phase.instructions) {
    const auto* load_weight = std::get_if<LoadWeight>(&instruction);
    if (load_weight == nullptr) continue;
    cancellation_.check();
    try {
      load(phase, *load_weight, *weights_.at(phase.part), record);
    } catch (Error& error) {
      error.in_tensor(phase.graph.value(load_weight->value).name);
      throw;
    }
  }
  record.load_seconds += watch.seconds();
}

void Executor::load(const Phase& phase, const LoadWeight& load, const WeightIndex& weights,
                    PhaseRecord& record) {
  const Value& value = phase.graph.value(load.value);
  std::byte* target = address(load.target);
  record.read_bytes += weights.entry(value.name).bytes;
  const auto elements = static_cast<size_t>(value.shape.elements());
  if (load.form.packed) {
    const std::span<float> dense(reinterpret_cast<float*>(address(load.staging)), elements);
    weights.read_f32(value.name, 0, dense);
    kernels_.kernel(load.kernel).pack_weight(load.input, dense, target);
  } else if (load.form.dtype == value.dtype) {
    weights.read(value.name, {target, load.form.bytes});
  } else {
    SNUG_CHECK(load.form.dtype == DType::kF32, "dense weights are kept as stored or as F32");
    weights.read_f32(value.name, 0, {reinterpret_cast<float*>(target), elements});
  }
}

void Executor::set_input(const Phase& phase, std::string_view name, std::span<const float> values) {
  const Port& port = find_port(phase.inputs, name);
  const Value& value = phase.graph.value(port.value);
  SNUG_CHECK(value.dtype == DType::kF32 && static_cast<int64_t>(values.size()) == value.shape.elements(),
             "an input has the planned type and size");
  auto* stored = reinterpret_cast<float*>(address(port.location));
  for_each_element(value.shape,
                   [&](int64_t logical, int64_t at) { stored[at] = values[static_cast<size_t>(logical)]; });
}

void Executor::set_input(const Phase& phase, std::string_view name, std::span<const int32_t> values) {
  const Port& port = find_port(phase.inputs, name);
  const Value& value = phase.graph.value(port.value);
  SNUG_CHECK(value.dtype == DType::kI32 && static_cast<int64_t>(values.size()) == value.shape.elements(),
             "an input has the planned type and size");
  std::memcpy(address(port.location), values.data(), values.size_bytes());
}

void Executor::run(const Phase& phase, int call) {
  const Stopwatch watch;
  PhaseRecord& record = records_[index_of(plan_, phase)];
  for (size_t i = 0; i < phase.instructions.size(); ++i) {
    const auto* instruction = std::get_if<RunKernel>(&phase.instructions[i]);
    if (instruction == nullptr) continue;
    cancellation_.check();
    const Stopwatch kernel_watch;
    run(*instruction, call);
    record.kernel_seconds[i] += kernel_watch.seconds();
  }
  record.call_seconds.push_back(watch.seconds());
}

void Executor::run(const RunKernel& instruction, int call) {
  for (size_t i = 0; i < instruction.inputs.size(); ++i) operands_[i] = address(instruction.inputs[i], call);
  KernelArgs args;
  args.inputs = {operands_.data(), instruction.inputs.size()};
  args.output = address(instruction.output, call);
  args.scratch = address(instruction.scratch);
  kernels_.kernel(instruction.kernel).run(args);
}

void Executor::read_output(const Phase& phase, std::string_view name, std::span<float> values) {
  const Port& port = find_port(phase.outputs, name);
  const Value& value = phase.graph.value(port.value);
  SNUG_CHECK(value.dtype == DType::kF32 && static_cast<int64_t>(values.size()) == value.shape.elements(),
             "an output has the planned type and size");
  const auto* stored = reinterpret_cast<const float*>(address(port.location));
  for_each_element(value.shape,
                   [&](int64_t logical, int64_t at) { values[static_cast<size_t>(logical)] = stored[at]; });
}

}  // namespace snug
