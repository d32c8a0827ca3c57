#include "backend/kernel_trial.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include <fmt/format.h>

#include "backend/backend.h"
#include "backend/reference/kernel_list.h"
#include "base/check.h"
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

bool is_norm(Op op) {
  return op == Op::kGroupNorm || op == Op::kGroupStatistics || op == Op::kGroupNormApply ||
         op == Op::kLayerNorm || op == Op::kRmsNorm || op == Op::kModulate;
}

float factor_of(const NodeSpec& node, size_t index) {
  const bool is_matrix = index == 1 || index == 4;  // 4: a gate's
  const bool product = node.op == Op::kConv2d || node.op == Op::kConv3d || node.op == Op::kLinear;
  if (product && is_matrix) {
    const Shape& weight = node.operands[index].shape;
    return static_cast<float>(
        std::sqrt(3.0 * static_cast<double>(weight[0]) / static_cast<double>(weight.elements())));
  }
  if (node.op == Op::kTimestepEmbedding) return 999;
  if (node.op == Op::kActivation) return 6;
  return 2;
}

DType dtype_in_memory(const NodeSpec& node, const Kernel& kernel, size_t index) {
  const Operand& operand = node.operands[index];
  return operand.is_weight ? kernel.weight_dtype(static_cast<int>(index)) : operand.dtype;
}

Region whole_operand(const Operand& operand) {
  return operand.is_weight ? whole_rows(operand.shape) : whole_region(operand.shape);
}

// The bytes of one operand as the kernel wants it.
GuardedBuffer made_operand(DType dtype, const std::vector<float>& values) {
  GuardedBuffer buffer(static_cast<size_t>(bytes_of(dtype, static_cast<int64_t>(values.size()))));
  if (dtype == DType::kI32) {
    auto* ids = reinterpret_cast<int32_t*>(buffer.data());
    for (size_t i = 0; i < values.size(); ++i) ids[i] = static_cast<int32_t>(values[i]);
  } else {
    from_f32(dtype, values, buffer.data());
  }
  return buffer;
}

// Copies `region` from where `from_held` lies to where `to_held` lies; a unit is an element, or a weight's
// row.
void copy_region(const std::byte* from, const Region& from_held, std::byte* to, const Region& to_held,
                 const Region& region, int64_t unit_bytes) {
  const OperandView source{from, from_held}, target{to, to_held};
  for (int64_t n = region.images.begin; n < region.images.end; ++n) {
    for (int64_t p = region.pixels.begin; p < region.pixels.end; ++p) {
      const int64_t c = region.channels.begin;
      std::memcpy(const_cast<std::byte*>(element_at(target, n, p, c, unit_bytes)),
                  element_at(source, n, p, c, unit_bytes),
                  static_cast<size_t>(region.channels.size() * unit_bytes));
    }
  }
}

// As whoever reads weights would do it.
void pack(const Kernel& kernel, size_t index, const Operand& operand, const Region& held, std::byte* rows) {
  const int input = static_cast<int>(index);
  if (!operand.is_weight || kernel.weight_packing(input) == 0) return;
  GuardedBuffer room(kernel.packing_bytes(input));
  kernel.pack_weight(input, rows, held.channels.size(), room.data());
  SNUG_CHECK(room.guards_intact(), "packing stays in its room");
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

namespace {

// What group_norm_apply is given for x and channel_add.
std::vector<float> group_statistics_of(const NodeSpec& apply, const OperandValues& values) {
  NodeSpec node = {Op::kGroupStatistics,
                   GroupStatisticsAttrs{std::get<GroupNormAttrs>(apply.attrs).groups},
                   {apply.operands[0], apply.operands[4]},
                   apply.operands[1]};
  std::string reason;
  KernelTrial trial(node, reference_candidate(node.op).make(node, reason), {values[0], values[4]});
  trial.run();
  return trial.output();
}

}  // namespace

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
      if (is_norm(node.op) && i == 0) value += 20;
      if (narrow || (operand.is_weight && operand.dtype == DType::kBF16)) {
        value = bf16_to_f32(f32_to_bf16(value));
      }
      if (operand.is_weight && operand.dtype == DType::kF16) value = f16_to_f32(f32_to_f16(value));
    }
  }
  if (node.op == Op::kGroupNormApply) values[1] = group_statistics_of(node, values);
  return values;
}

KernelTrial::KernelTrial(const NodeSpec& node, std::unique_ptr<Kernel> kernel, const OperandValues& values)
    : node_(node),
      kernel_(std::move(kernel)),
      inputs_(node.operands.size()),
      output_(static_cast<size_t>(bytes_of(node.output.dtype, node.output.shape.elements()))),
      scratch_(kernel_->scratch_bytes()) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (node.operands[i].present) {
      inputs_[i] = made_operand(dtype_in_memory(node_, *kernel_, i), values[i]);
      views_.push_back({inputs_[i].data(), whole_operand(node.operands[i])});
    } else {
      views_.emplace_back();
    }
    as_read_.emplace_back(inputs_[i].data(), inputs_[i].data() + inputs_[i].bytes());
    pack(*kernel_, i, node.operands[i], views_.back().held, inputs_[i].data());
    copies_.emplace_back(inputs_[i].data(), inputs_[i].data() + inputs_[i].bytes());
  }
}

void KernelTrial::run() {
  output_.fill();
  scratch_.fill();
  run_only();
}

void KernelTrial::run_only() {
  const Region whole = whole_region(node_.output.shape);
  kernel_->run({views_, output_.data(), whole, whole, scratch_at()});
}

void KernelTrial::run_over(size_t input) {
  scratch_.fill();
  std::copy(copies_[input].begin(), copies_[input].end(), output_.data());
  std::vector<OperandView> views = views_;
  views[input].data = output_.data();
  const Region whole = whole_region(node_.output.shape);
  kernel_->run({views, output_.data(), whole, whole, scratch_at()});
}

std::vector<Region> KernelTrial::needed(const Region& part) const {
  std::vector<Region> regions;
  for (size_t i = 0; i < node_.operands.size(); ++i) {
    regions.push_back(node_.operands[i].present
                          ? input_region(node_.op, node_.attrs, node_.operands, node_.output, i, part)
                          : Region());
  }
  return regions;
}

void KernelTrial::clear_output() { output_.fill(); }

void KernelTrial::run_part(const PartRun& run) {
  std::vector<GuardedBuffer> buffers(inputs_.size());
  std::vector<OperandView> views(inputs_.size());
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!node_.operands[i].present) continue;
    const Region& held = run.inputs_held[i];
    const int64_t unit = unit_bytes(i);
    buffers[i] = GuardedBuffer(static_cast<size_t>(held.elements() * unit));
    copy_region(as_read_[i].data(), views_[i].held, buffers[i].data(), held, held, unit);
    pack(*kernel_, i, node_.operands[i], held, buffers[i].data());
    views[i] = {buffers[i].data(), held};
  }
  const int64_t element = element_bytes(node_.output.dtype);
  GuardedBuffer own(static_cast<size_t>(run.output_held.elements() * element));
  GuardedBuffer& out = run.over < 0 ? own : buffers[static_cast<size_t>(run.over)];
  const std::vector<std::byte> before(out.data(), out.data() + out.bytes());
  scratch_.fill();
  kernel_->run({views, out.data(), run.output_held, run.part, scratch_at()});

  if (!out.guards_intact()) damage_of_parts_ += "wrote beside a part's output; ";
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (!buffers[i].guards_intact()) damage_of_parts_ += fmt::format("wrote beside a part's input {}; ", i);
  }
  copy_region(out.data(), run.output_held, output_.data(), whole_region(node_.output.shape), run.part,
              element);
  // With the part as it was before, all must be.
  copy_region(before.data(), run.output_held, out.data(), run.output_held, run.part, element);
  if (!std::equal(before.begin(), before.end(), out.data())) {
    damage_of_parts_ += "wrote to the output beside its part; ";
  }
}

int64_t KernelTrial::unit_bytes(size_t index) const {
  const Operand& operand = node_.operands[index];
  const int64_t elements =
      operand.is_weight ? operand.shape.elements() / whole_rows(operand.shape).elements() : 1;
  return elements * element_bytes(dtype_in_memory(node_, *kernel_, index));
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
  std::string damage = damage_of_parts_;
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
