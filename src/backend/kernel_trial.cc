#include "backend/kernel_trial.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include <fmt/format.h>

#include "backend/backend.h"
#include "tensor/convert.h"

namespace snug {
namespace {

constexpr std::byte kPattern{0xff};  // a NaN in every element type

// Uniform in [-1, 1), from a counter (the finaliser of SplitMix64, Steele et al., 2014).
float uniform(uint64_t counter) {
  uint64_t z = counter * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  z ^= z >> 31;
  return static_cast<float>(static_cast<double>(z >> 40) / (1 << 23) - 1);
}

float factor_of(const NodeSpec& node, size_t index) {
  if ((node.op == Op::kConv2d || node.op == Op::kLinear) && index == 1) {
    const Shape& weight = node.operands[1].shape;
    return static_cast<float>(
        std::sqrt(3.0 * static_cast<double>(weight[0]) / static_cast<double>(weight.elements())));
  }
  if (node.op == Op::kTimestepEmbedding) return 999;
  if (node.op == Op::kActivation || node.op == Op::kGeglu) return 6;
  return 2;
}

// The bytes of one operand as the kernel wants it.
void write_operand(const NodeSpec& node, const Kernel& kernel, size_t index, const std::vector<float>& values,
                   GuardedBuffer& buffer) {
  const Operand& operand = node.operands[index];
  if (!operand.is_weight) {
    buffer = GuardedBuffer(static_cast<size_t>(bytes_of(operand.dtype, operand.shape.elements())));
    if (operand.dtype == DType::kI32) {
      auto* ids = reinterpret_cast<int32_t*>(buffer.data());
      for (size_t i = 0; i < values.size(); ++i) ids[i] = static_cast<int32_t>(values[i]);
    } else {
      from_f32(operand.dtype, values, buffer.data());
    }
    return;
  }
  const WeightForm form = kernel.weight_form(static_cast<int>(index));
  buffer = GuardedBuffer(form.bytes);
  if (form.packed) {
    buffer.fill();
    kernel.pack_weight(static_cast<int>(index), values, buffer.data());
  } else {
    from_f32(form.dtype, values, buffer.data());
  }
}

}  // namespace

void GuardedBuffer::Free::operator()(std::byte* memory) const {
  ::operator delete[](memory, std::align_val_t(kArenaAlignment));
}

GuardedBuffer::GuardedBuffer(size_t bytes)
    : memory_(static_cast<std::byte*>(
          ::operator new[](bytes + 2 * kGuardBytes, std::align_val_t(kArenaAlignment)))),
      bytes_(bytes) {
  std::fill_n(memory_.get(), bytes_ + 2 * kGuardBytes, kPattern);
}

void GuardedBuffer::fill() { std::fill_n(data(), bytes_, kPattern); }

bool GuardedBuffer::guards_intact() const {
  const auto intact = [](const std::byte* guard) {
    return std::all_of(guard, guard + kGuardBytes, [](std::byte b) { return b == kPattern; });
  };
  return intact(memory_.get()) && intact(data() + bytes_);
}

OperandValues made_up_operands(const NodeSpec& node) {
  const bool narrow = node.output.dtype == DType::kBF16 || node.operands[0].dtype == DType::kBF16;
  OperandValues values;
  uint64_t counter = 1;
  for (size_t i = 0; i < node.operands.size(); ++i) {
    const Operand& operand = node.operands[i];
    values.emplace_back(operand.present ? static_cast<size_t>(operand.shape.elements()) : 0);
    for (float& value : values.back()) {
      value = uniform(counter++) * factor_of(node, i);
      if (node.op == Op::kEmbedding && i == 0) {
        value = std::floor(std::fabs(value) / 2 * static_cast<float>(node.operands[1].shape[0]));
      }
      // So that no kernel gets away with a variance from sums of squares.
      if (node.op == Op::kGroupNorm && i == 0) value += 20;
      if (node.op == Op::kLayerNorm && i == 0) value += 20;
      if (node.op == Op::kEmbedding && operand.dtype == DType::kF16) value = f16_to_f32(f32_to_f16(value));
      if (narrow || (operand.is_weight && operand.dtype == DType::kBF16))
        value = bf16_to_f32(f32_to_bf16(value));
    }
  }
  return values;
}

KernelTrial::KernelTrial(const NodeSpec& node, std::unique_ptr<Kernel> kernel, const OperandValues& values)
    : node_(node),
      kernel_(std::move(kernel)),
      inputs_(node.operands.size()),
      output_(static_cast<size_t>(bytes_of(node.output.dtype, node.output.shape.elements()))) {
  kernel_->prepare();
  scratch_ = GuardedBuffer(kernel_->scratch_bytes());
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (node.operands[i].present) write_operand(node, *kernel_, i, values[i], inputs_[i]);
    pointers_.push_back(node.operands[i].present ? inputs_[i].data() : nullptr);
    copies_.emplace_back(inputs_[i].data(), inputs_[i].data() + inputs_[i].bytes());
  }
}

void KernelTrial::run() {
  output_.fill();
  scratch_.fill();
  run_only();
}

void KernelTrial::run_only() {
  kernel_->run({pointers_, output_.data(), scratch_.bytes() == 0 ? nullptr : scratch_.data()});
}

std::vector<float> KernelTrial::output() const {
  std::vector<float> values(static_cast<size_t>(node_.output.shape.elements()));
  to_f32(node_.output.dtype, output_.data(), values);
  return values;
}

std::vector<std::byte> KernelTrial::output_bytes() const {
  return {output_.data(), output_.data() + output_.bytes()};
}

std::string KernelTrial::damage() const {
  std::string damage;
  if (!output_.guards_intact()) damage += "wrote beside the output; ";
  if (!scratch_.guards_intact()) damage += "wrote beside its scratch; ";
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!inputs_[i].guards_intact()) damage += fmt::format("wrote beside input {}; ", i);
    if (!std::equal(copies_[i].begin(), copies_[i].end(), inputs_[i].data())) {
      damage += fmt::format("changed input {}; ", i);
    }
  }
  return damage;
}

}  // namespace snug
