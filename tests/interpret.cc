#include "tests/interpret.h"

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "tensor/convert.h"

namespace snug::testing {
namespace {

struct Free {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};
using Buffer = std::unique_ptr<std::byte[], Free>;

Buffer allocate(size_t bytes) {
  const size_t rounded =
      (std::max<size_t>(bytes, 1) + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
  return Buffer(static_cast<std::byte*>(std::aligned_alloc(kArenaAlignment, rounded)));
}

// [N,C,H,W] ↔ [N,H,W,C], clips likewise; `to_stored` says which way.
void change_order(const Shape& logical, std::span<const float> from, std::span<float> to, bool to_stored) {
  if (logical.rank() < 4) {
    std::copy(from.begin(), from.end(), to.begin());
    return;
  }
  const int64_t channels = logical[1];
  const int64_t pixels = logical.elements() / (logical[0] * channels);
  for (int64_t n = 0; n < logical[0]; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < pixels; ++p) {
        const auto planar = static_cast<size_t>((n * channels + c) * pixels + p);
        const auto interleaved = static_cast<size_t>((n * pixels + p) * channels + c);
        to[to_stored ? interleaved : planar] = from[to_stored ? planar : interleaved];
      }
    }
  }
}

const HostTensor& look_up(const Tensors& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw std::runtime_error("no tensor " + name);
  return found->second;
}

class Interpreter {
 public:
  Interpreter(const Graph& graph, const Backend& backend, const Tensors& weights)
      : graph_(graph), backend_(backend), weights_(weights), values_(graph.values().size(), nullptr) {}

  void set_input(ValueId id, const HostTensor& tensor) {
    const Value& value = graph_.value(id);
    if (!(tensor.shape() == value.shape) || tensor.dtype() != value.dtype) {
      throw std::runtime_error("the input " + value.name + " does not fit");
    }
    std::byte* out = make(id, static_cast<size_t>(value.bytes()));
    if (value.dtype == DType::kF32) {
      const std::span<float> floats(reinterpret_cast<float*>(out),
                                    static_cast<size_t>(value.shape.elements()));
      change_order(value.shape, tensor.floats(), floats, true);
    } else {
      std::memcpy(out, tensor.bytes().data(), tensor.bytes().size());
    }
  }

  void run() {
    for (const Node& node : graph_.nodes()) {
      if (op_info(node.op).is_view) {
        values_[static_cast<size_t>(node.output)] = values_[static_cast<size_t>(node.inputs[0])];
      } else {
        run(node);
      }
    }
  }

  HostTensor read(ValueId id) const {
    const Value& value = graph_.value(id);
    HostTensor tensor(DType::kF32, value.shape);
    const auto* stored = reinterpret_cast<const float*>(values_[static_cast<size_t>(id)]);
    change_order(value.shape, {stored, tensor.floats().size()}, tensor.floats(), false);
    return tensor;
  }

 private:
  std::byte* make(ValueId id, size_t bytes) {
    buffers_.push_back(allocate(bytes));
    values_[static_cast<size_t>(id)] = buffers_.back().get();
    return buffers_.back().get();
  }

  void run(const Node& node) {
    const NodeSpec spec{node.op, node.attrs, graph_.operands(node), graph_.operand(node.output)};
    const std::unique_ptr<Kernel> kernel = backend_.choose(spec).kernel;
    std::vector<OperandView> inputs(node.inputs.size());
    std::vector<Buffer> weights;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue) continue;
      const Value& value = graph_.value(id);
      if (value.kind == ValueKind::kWeight) {
        weights.push_back(in_type(kernel->weight_dtype(static_cast<int>(i)), value));
        inputs[i] = {weights.back().get(), whole_rows(value.shape)};
        pack_whole_weight(*kernel, static_cast<int>(i), weights.back().get(), inputs[i].held.channels.size());
      } else {
        inputs[i] = {values_[static_cast<size_t>(id)], whole_region(value.shape)};
      }
    }
    const Buffer scratch = allocate(kernel->scratch_bytes());
    std::byte* output = make(node.output, static_cast<size_t>(graph_.value(node.output).bytes()));
    const Region whole = whole_region(spec.output.shape);
    kernel->run({inputs, output, whole, whole, kernel->scratch_bytes() > 0 ? scratch.get() : nullptr});
  }

  // A weight in the element type that the kernel takes.
  Buffer in_type(DType dtype, const Value& weight) const {
    const HostTensor dense = look_up(weights_, weight.name).to_f32();
    const int64_t elements = weight.shape.elements(), rows = whole_rows(weight.shape).channels.size();
    if (rows > 0 && dense.elements() < elements / rows * (weight.first_row + rows)) {
      throw std::runtime_error("the weight " + weight.name + " has too few rows");
    }
    const auto first = static_cast<size_t>(elements / std::max<int64_t>(rows, 1) * weight.first_row);
    Buffer out = allocate(static_cast<size_t>(bytes_of(dtype, elements)));
    from_f32(dtype, dense.floats().subspan(first, static_cast<size_t>(elements)), out.get());
    return out;
  }

  const Graph& graph_;
  const Backend& backend_;
  const Tensors& weights_;
  std::vector<Buffer> buffers_;
  std::vector<const std::byte*> values_;  // by value id
};

}  // namespace

Tensors interpret(const Graph& graph, const Backend& backend, const Tensors& inputs, const Tensors& weights,
                  const std::vector<std::string>& taps) {
  Interpreter interpreter(graph, backend, weights);
  for (const ValueId id : graph.inputs()) interpreter.set_input(id, look_up(inputs, graph.value(id).name));
  interpreter.run();
  Tensors result;
  for (const ValueId id : graph.outputs()) result.emplace(graph.value(id).name, interpreter.read(id));
  for (const std::string& tap : taps) {
    const ValueId id = graph.find(tap);
    if (id == kNoValue) throw std::runtime_error("no value " + tap);
    result.emplace(tap, interpreter.read(id));
  }
  return result;
}

}  // namespace snug::testing
