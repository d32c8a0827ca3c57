// A plan written by hand, for tests of who executes plans: linear layers one after the other, whose weights
// are streamed through a ring of two slots, but for the last, which stays. One layer is computed in two parts
// by output channels, each as its rows arrive; one output is spilled to the scratch file and comes back as a
// residual. Two weights are some rows in the middle of their tensors. It runs 3 calls x 2 passes; each run
// has inputs of its own, and all outputs are kept.
//
// The kernel is a plain loop that honours parts and calls back, so that tests can slow it down and count.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "plan/plan.h"
#include "runtime/kernel_set.h"
#include "tensor/convert.h"
#include "weights/weight_index.h"

namespace snug::testing {

// y = x weightᵀ + residual, as hand-made plans need it. BF16 weights are to be widened, others lie as stored.
class PlainLinear final : public Kernel {
 public:
  PlainLinear(const NodeSpec& node, const std::function<void()>& before, const std::function<void()>& after)
      : stored_(node.operands[1].dtype), before_(before), after_(after) {}
  std::string_view name() const override { return "plain_linear"; }
  DType weight_dtype(int) const override { return stored_ == DType::kBF16 ? DType::kF32 : stored_; }
  Splits splits() const override { return {.channels = true, .channel_step = 8}; }
  bool may_overwrite(int index) const override { return index == 3; }
  void run(const KernelArgs& args) const override {
    if (before_) before_();
    const OperandView &x = args.inputs[0], &weight = args.inputs[1], &residual = args.inputs[3];
    const DType dtype = weight_dtype(1);
    const int64_t channels = x.held.channels.size(), bytes = element_bytes(dtype);
    std::vector<float> row(static_cast<size_t>(channels));
    for (int64_t image = args.part.images.begin; image < args.part.images.end; ++image) {
      for (int64_t c = args.part.channels.begin; c < args.part.channels.end; ++c) {
        to_f32(dtype, weight.data + (c - weight.held.channels.begin) * channels * bytes, row);
        float sum = residual.data == nullptr
                        ? 0
                        : *reinterpret_cast<const float*>(element_at(residual, image, 0, c, sizeof(float)));
        for (int64_t k = 0; k < channels; ++k) {
          sum += row[static_cast<size_t>(k)] *
                 *reinterpret_cast<const float*>(element_at(x, image, 0, k, sizeof(float)));
        }
        *reinterpret_cast<float*>(output_at(args, image, 0, c, sizeof(float))) = sum;
      }
    }
    if (after_) after_();
  }

 private:
  DType stored_;
  const std::function<void()>&before_, &after_;
};

class PlainBackend final : public Backend {
 public:
  std::function<void()> before_kernel, after_kernel;
  std::string_view name() const override { return "plain"; }
  KernelChoice choose(const NodeSpec& node) const override {
    return {std::make_unique<PlainLinear>(node, before_kernel, after_kernel), {{"fast_linear", "not here"}}};
  }
  std::vector<DType> precisions() const override { return {DType::kF32}; }
  std::vector<std::pair<std::string, std::string>> describe() const override { return {}; }
};

class StreamedChain {
 public:
  static constexpr int64_t kImages = 2, kChannels = 48;
  static constexpr int kLayers = 6, kCalls = 3, kPasses = 2, kRuns = kCalls * kPasses;
  static constexpr uint64_t kValueBytes = kImages * kChannels * sizeof(float);

  explicit StreamedChain(
      const std::function<std::shared_ptr<const ByteSource>(std::shared_ptr<const ByteSource>)>& wrap = {})
      : kernels(backend) {
    make_weights(wrap);
    make_graph();
    make_buffers();
    make_instructions();
    for (size_t i = 0; i < phase_.loads.size(); ++i) wait_for_slot(i);
    plan.phases.push_back(phase_);
  }
  StreamedChain(const StreamedChain&) = delete;
  StreamedChain& operator=(const StreamedChain&) = delete;

  std::vector<float> input(int run) const {
    std::mt19937 random(100 + static_cast<uint32_t>(run));
    return random_values(random, kImages * kChannels);
  }
  // What the chain makes of the input of that run.
  std::vector<float> expected(int run) const {
    std::vector<float> x = input(run), spilled;
    for (int layer = 0; layer < kLayers; ++layer) {
      std::vector<float> y(x.size(), 0);
      if (layer == kResidualLayer) y = spilled;
      for (int64_t i = 0; i < kImages * kChannels; ++i) {
        const auto at = static_cast<size_t>(i), image = at / kChannels * kChannels;
        for (size_t k = 0; k < kChannels; ++k) {
          y[at] += values_[static_cast<size_t>(layer)][at % kChannels * kChannels + k] * x[image + k];
        }
      }
      x = y;
      if (layer == 0) spilled = x;
    }
    return x;
  }
  static std::string weight_name(int layer) { return "layers." + std::to_string(layer) + ".weight"; }
  std::shared_ptr<const WeightIndex> weights() const { return index_; }

  PlainBackend backend;
  KernelSet kernels;
  Plan plan;

 private:
  static constexpr int kSlicedLayer = 2, kResidualLayer = 4;
  static constexpr uint64_t kSlotBytes = kChannels * kChannels * sizeof(float);

  static std::vector<float> random_values(std::mt19937& random, size_t count) {
    std::uniform_real_distribution<float> value(-0.3F, 0.3F);
    std::vector<float> values(count);
    for (float& v : values) v = value(random);
    return values;
  }
  static DType stored_type(int layer) {
    return std::array{DType::kF32, DType::kF16, DType::kBF16}[static_cast<size_t>(layer % 3)];
  }

  static int64_t first_row(int layer) { return layer == 1 || layer == kSlicedLayer ? 4 * layer + 1 : 0; }

  void make_weights(
      const std::function<std::shared_ptr<const ByteSource>(std::shared_ptr<const ByteSource>)>& wrap) {
    std::mt19937 random(1);
    std::vector<StoredTensor> stored;
    NameMappings mappings;
    for (int layer = 0; layer < kLayers; ++layer) {
      const int64_t before = first_row(layer), rows = before == 0 ? kChannels : before + kChannels + 3;
      std::vector<float> values = random_values(random, static_cast<size_t>(rows * kChannels));
      const DType dtype = stored_type(layer);
      const size_t begin = bytes_.size();
      bytes_.resize(begin + values.size() * static_cast<size_t>(element_bytes(dtype)));
      from_f32(dtype, values, bytes_.data() + begin);
      to_f32(dtype, bytes_.data() + begin, values);
      const auto first = values.begin() + before * kChannels;
      values_.emplace_back(first, first + kChannels * kChannels);
      mappings.push_back({.stored = stored.size(), .name = weight_name(layer)});
      stored.push_back({.name = weight_name(layer),
                        .dtype = dtype,
                        .shape = {rows, kChannels},
                        .offset = begin,
                        .bytes = bytes_.size() - begin});
    }
    std::shared_ptr<const ByteSource> source = view_memory("chain.safetensors", bytes_);
    if (wrap) source = wrap(std::move(source));
    auto index = std::make_shared<WeightIndex>("chain");
    index->add(std::move(source), stored, mappings);
    index_ = std::move(index);
  }

  void make_graph() {
    Graph& graph = phase_.graph;
    ValueId x = graph.add_input("x", DType::kF32, {kImages, kChannels}, Variability::kLatents);
    const ValueId input = x;
    ValueId first = kNoValue;
    for (int layer = 0; layer < kLayers; ++layer) {
      const ValueId weight =
          graph.add_weight(weight_name(layer), stored_type(layer), {kChannels, kChannels}, first_row(layer));
      x = graph.add_node(Op::kLinear, LinearAttrs{},
                         {x, weight, kNoValue, layer == kResidualLayer ? first : kNoValue},
                         "layers." + std::to_string(layer));
      if (layer == 0) first = x;
    }
    graph.add_output(x);
    phase_.name = "chain";
    phase_.part = "part";
    phase_.calls = kCalls;
    phase_.passes = kPasses;
    phase_.inputs.push_back({"x", input, {kInput, 0, 0, kValueBytes}});
    phase_.outputs.push_back({"y", x, {kOutput, 0, kPasses * kValueBytes, kValueBytes}});
  }

  enum : int { kInput, kOutput, kEven, kOdd, kFirst, kSlot0, kSlot1, kResident, kBufferCount };

  void make_buffers() {
    for (int i = 0; i < kBufferCount; ++i) {
      uint64_t bytes = i >= kSlot0 ? kSlotBytes : kValueBytes;
      if (i == kInput) bytes = kPasses * kValueBytes;
      if (i == kOutput) bytes = kRuns * kValueBytes;
      const BufferKind kind = i >= kSlot0 ? BufferKind::kWeight : BufferKind::kActivation;
      plan.buffers.push_back({"buffer " + std::to_string(i), kind, bytes, 0, 0, plan.arena_bytes});
      plan.arena_bytes += (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
    }
    plan.scratch_file_bytes = kValueBytes;
  }

  void make_instructions() {
    constexpr int64_t kHalf = kChannels / 2;
    for (int layer = 0; layer < kLayers; ++layer) {
      if (layer == kSlicedLayer) {
        add_run(layer, {0, kHalf});
        add_run(layer, {kHalf, kChannels});
        continue;
      }
      if (layer == kResidualLayer) phase_.instructions.push_back(Restore{{kFirst}, 0, kValueBytes});
      add_run(layer, {0, kChannels});
      // Layer 0's output is where layer 2's goes.
      if (layer == 0) phase_.instructions.push_back(Spill{{kEven}, 0, kValueBytes});
    }
    for (Buffer& buffer : plan.buffers) buffer.last_use = static_cast<int>(phase_.instructions.size()) - 1;
  }

  void add_run(int layer, Interval rows) {
    const Node& node = phase_.graph.node(layer);
    const bool stays = layer == kLayers - 1;
    const int slot = stays ? static_cast<int>(kResident) : kSlot0 + static_cast<int>(phase_.loads.size() % 2);
    const KernelFacts& facts =
        kernels.choose({node.op, node.attrs, phase_.graph.operands(node), phase_.graph.operand(node.output)});
    const DType dtype = facts.weight_dtypes[1];
    const auto bytes = static_cast<uint64_t>(bytes_of(dtype, rows.size() * kChannels));
    phase_.loads.push_back({.value = node.inputs[1],
                            .rows = rows,
                            .dtype = dtype,
                            .bytes = bytes,
                            .target = {slot},
                            .every_run = !stays});
    const Region whole = whole_region({kImages, kChannels});
    RunKernel run;
    run.node = layer;
    run.kernel = facts.kernel;
    run.part = whole;
    run.part.channels = rows;
    Location x = {layer % 2 == 0 ? kOdd : kEven}, y = {layer % 2 == 0 ? kEven : kOdd};
    if (layer == 0) x = phase_.inputs[0].location;
    if (layer == kLayers - 1) y = phase_.outputs[0].location;
    const Region weight_rows = {{0, 1}, {0, 1}, rows};
    run.inputs = {{x, whole}, {{slot}, weight_rows}, {}, {}};
    if (layer == kResidualLayer) run.inputs[3] = {{kFirst}, whole};
    run.output = {y, whole};
    run.loads_needed = static_cast<int>(phase_.loads.size());
    user_of_load_.push_back(static_cast<int>(phase_.instructions.size()));
    phase_.instructions.push_back(run);
  }

  // A slot is free when whoever uses what was loaded there before is done: in this run, or in the one before.
  void wait_for_slot(size_t index) {
    Load& load = phase_.loads[index];
    load.after_previous_run = true;
    for (size_t i = 0; i < phase_.loads.size(); ++i) {
      if (phase_.loads[i].target != load.target) continue;
      if (i >= index && !load.after_previous_run) break;
      if (i < index) load.after_previous_run = false;
      load.after = user_of_load_[i] + 1;
    }
  }

  std::vector<std::byte> bytes_;            // the file
  std::vector<std::vector<float>> values_;  // of it, by layer
  std::shared_ptr<const WeightIndex> index_;
  Phase phase_;
  std::vector<int> user_of_load_;  // the instruction that reads what was loaded
};

}  // namespace snug::testing
