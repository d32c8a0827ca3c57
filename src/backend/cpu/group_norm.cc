// group_statistics and group_norm_apply (graph/ops/group_norm.cc): x is read from memory once by each, and
// the output written once.
//
// A block of pixels (graph/group_blocks.h) fits a second-level cache, so that its two passes (mean, then
// squared deviations from it) cost one read of memory: accurate however large the mean is beside the
// deviation. Blocks are combined in their order, in double (Chan et al., 1979, "Updating formulae and a
// pairwise algorithm for computing sample variances"), again in every run of a part: they are few.
#include <algorithm>
#include <array>
#include <cmath>

#include "backend/cpu/dense_kernel.h"
#include "backend/stored_layout.h"
#include "base/parallel.h"
#include "graph/group_blocks.h"
#include "tensor/convert.h"

// clang-format off
#include "backend/cpu/highway_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/group_norm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "backend/cpu/simd_math-inl.h"
#include "backend/cpu/simd_memory-inl.h"
// clang-format on

#ifndef SNUG_BACKEND_CPU_GROUP_NORM_ONCE
#define SNUG_BACKEND_CPU_GROUP_NORM_ONCE
namespace snug {
namespace {

// What both kernels read.
struct GroupNorm {
  DType type = DType::kF32;
  OperandView x, channel_add;  // the latter may be absent
  DType channel_add_type = DType::kF32;
  bool add_per_image = false;
  int64_t channels = 0, groups = 0;

  float added(int64_t image, int64_t channel) const {
    if (channel_add.data == nullptr) return 0;
    const int64_t row = add_per_image ? image : 0;
    if (channel_add_type == DType::kF32) {
      return *reinterpret_cast<const float*>(element_at(channel_add, row, 0, channel, sizeof(float)));
    }
    return bf16_to_f32(
        *reinterpret_cast<const uint16_t*>(element_at(channel_add, row, 0, channel, sizeof(uint16_t))));
  }
};

// Pixels of one image that lie together.
struct PixelRun {
  const std::byte* x = nullptr;
  std::byte* out = nullptr;
  int64_t pixels = 0;
  // For each channel: y = activation((x - centre) scale + beta), centre being the mean less channel_add.
  const float *centre = nullptr, *scale = nullptr, *beta = nullptr;
};

// Channels whose column sums are kept at a time, on the stack.
constexpr int64_t kTileChannels = 1024;

}  // namespace
}  // namespace snug
#endif

HWY_BEFORE_NAMESPACE();
namespace snug {
namespace HWY_NAMESPACE {
namespace {

// sums[c] = Σ over rows of x (kSquare: of (x - centre[c])²), c in [0, channels). Rows are `stride` apart.
template <bool kSquare, typename T>
HWY_INLINE void column_sums(const T* x, int64_t stride, int64_t rows, int64_t channels, const float* centre,
                            float* sums) {
  const auto term = [](FloatVector v, FloatVector c) HWY_ATTR {
    if (!kSquare) return v;
    const FloatVector d = hn::Sub(v, c);
    return hn::Mul(d, d);
  };
  std::fill_n(sums, channels, 0.0F);
  for (int64_t row = 0; row < rows; row += 4) {
    // Four rows at a time: the sums are read and written once for them. At the end, those that are left.
    const T* r = x + row * stride;
    const int64_t left = rows - row;
    const auto step = [&](auto load_at, FloatVector sum, FloatVector c) HWY_ATTR {
      if (left >= 4) {
        const FloatVector a = hn::Add(term(load_at(r), c), term(load_at(r + stride), c));
        const FloatVector b = hn::Add(term(load_at(r + 2 * stride), c), term(load_at(r + 3 * stride), c));
        return hn::Add(sum, hn::Add(a, b));
      }
      for (int64_t i = 0; i < left; ++i) sum = hn::Add(sum, term(load_at(r + i * stride), c));
      return sum;
    };
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      const auto load_at = [c](const T* from) HWY_ATTR { return load(from + c); };
      store(step(load_at, load(sums + c), kSquare ? load(centre + c) : splat(0)), sums + c);
    }
    if (const int64_t rest = channels - c; rest > 0) {
      const auto load_at = [c, rest](const T* from) HWY_ATTR { return load_some(from + c, rest); };
      store_some(step(load_at, load_some(sums + c, rest), kSquare ? load_some(centre + c, rest) : splat(0)),
                 sums + c, rest);
    }
  }
}

// body(channel, its group, whether it is the group's last) for `count` channels from `first`.
template <typename Body>
HWY_INLINE void for_each_channel(int64_t first, int64_t count, int64_t of_group, const Body& body) {
  int64_t group = first / of_group, left = of_group - first % of_group;
  for (int64_t c = first; c < first + count; ++c) {
    body(c, group, left == 1);
    if (--left == 0) {
      ++group;
      left = of_group;
    }
  }
}

// Means and squares of every group in `rows` pixels of one image. Sums over a group's channels in double.
template <typename T>
void block_statistics_as(const GroupNorm& call, int64_t image, const T* x, int64_t rows, float* means,
                         float* squares) {
  HWY_ALIGN float sums[kTileChannels];
  HWY_ALIGN float centre[kTileChannels];
  const int64_t of_group = call.channels / call.groups;
  const auto count = static_cast<double>(rows * of_group);
  double sum = 0;
  for (int64_t c0 = 0; c0 < call.channels; c0 += kTileChannels) {
    const int64_t tile = std::min(kTileChannels, call.channels - c0);
    column_sums<false>(x + c0, call.channels, rows, tile, nullptr, sums);
    for_each_channel(c0, tile, of_group, [&](int64_t c, int64_t g, bool last) HWY_ATTR {
      sum += static_cast<double>(sums[c - c0]);
      if (call.channel_add.data != nullptr) sum += static_cast<double>(rows) * call.added(image, c);
      if (!last) return;
      means[g] = static_cast<float>(sum / count);
      sum = 0;
    });
  }
  for (int64_t c0 = 0; c0 < call.channels; c0 += kTileChannels) {
    const int64_t tile = std::min(kTileChannels, call.channels - c0);
    for_each_channel(c0, tile, of_group, [&](int64_t c, int64_t g, bool) HWY_ATTR {
      centre[c - c0] = means[g] - call.added(image, c);
    });
    column_sums<true>(x + c0, call.channels, rows, tile, centre, sums);
    for_each_channel(c0, tile, of_group, [&](int64_t c, int64_t g, bool last) HWY_ATTR {
      sum += static_cast<double>(sums[c - c0]);
      if (!last) return;
      squares[g] = static_cast<float>(sum);
      sum = 0;
    });
  }
}

// `statistics`: means of all groups, then their squares.
void block_statistics(const GroupNorm& call, int64_t image, const Interval& pixels, float* statistics) {
  float* squares = statistics + call.groups;
  const std::byte* x = element_at(call.x, image, pixels.begin, 0, element_bytes(call.type));
  call.type == DType::kF32 ? block_statistics_as(call, image, reinterpret_cast<const float*>(x),
                                                 pixels.size(), statistics, squares)
                           : block_statistics_as(call, image, reinterpret_cast<const uint16_t*>(x),
                                                 pixels.size(), statistics, squares);
}

template <typename T, class Function>
HWY_INLINE void normalise(const PixelRun& run, int64_t channels, const Function& function) {
  for (int64_t pixel = 0; pixel < run.pixels; ++pixel) {
    const T* x = reinterpret_cast<const T*>(run.x) + pixel * channels;
    T* out = reinterpret_cast<T*>(run.out) + pixel * channels;
    const auto value = [&](FloatVector v, FloatVector m, FloatVector s, FloatVector b)
                           HWY_ATTR { return function(hn::MulAdd(hn::Sub(v, m), s, b)); };
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      store(value(load(x + c), load(run.centre + c), load(run.scale + c), load(run.beta + c)), out + c);
    }
    if (const int64_t rest = channels - c; rest > 0) {
      store_some(value(load_some(x + c, rest), load_some(run.centre + c, rest),
                       load_some(run.scale + c, rest), load_some(run.beta + c, rest)),
                 out + c, rest);
    }
  }
}

void normalise_pixels(DType type, Activation activation, const PixelRun& run, int64_t channels) {
  with_activation(activation, [&](auto function) HWY_ATTR {
    type == DType::kF32 ? normalise<float>(run, channels, function)
                        : normalise<uint16_t>(run, channels, function);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace snug
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace snug {
namespace {

HWY_EXPORT(block_statistics);
HWY_EXPORT(normalise_pixels);

GroupNorm call_of(const NodeSpec& node, int64_t groups, const Operand& channel_add) {
  GroupNorm call;
  call.type = node.operands[0].dtype;
  call.channels = node.operands[0].shape[1];
  call.groups = groups;
  call.channel_add_type = stored_dtype(channel_add);
  call.add_per_image = channel_add.present && channel_add.shape[0] > 1;
  return call;
}

class GroupStatisticsKernel final : public DenseKernel {
 public:
  explicit GroupStatisticsKernel(const NodeSpec& node)
      : DenseKernel(node),
        call_(call_of(node, std::get<GroupStatisticsAttrs>(node.attrs).groups, node.operands[1])),
        blocks_(node.operands[0].shape) {}

  std::string_view name() const override { return "cpu_group_statistics"; }
  Splits splits() const override { return {.pixels = true}; }

  void run(const KernelArgs& args) const override {
    GroupNorm call = call_;
    call.x = args.inputs[0];
    call.channel_add = args.inputs[1];
    for_each_run(args.part, 1, [&](int64_t image, int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        auto* statistics = reinterpret_cast<float*>(output_at(args, image, block, 0, sizeof(float)));
        HWY_DYNAMIC_DISPATCH(block_statistics)(call, image, blocks_.pixels_of(block), statistics);
      }
    });
  }

 private:
  GroupNorm call_;
  GroupBlocks blocks_;
};

class GroupNormApplyKernel final : public DenseKernel {
 public:
  explicit GroupNormApplyKernel(const NodeSpec& node)
      : DenseKernel(node),
        attrs_(std::get<GroupNormAttrs>(node.attrs)),
        call_(call_of(node, attrs_.groups, node.operands[4])),
        images_(node.output.shape[0]),
        pixels_(node.output.shape[2] * node.output.shape[3]),
        blocks_(node.operands[0].shape) {}

  std::string_view name() const override { return "cpu_group_norm_apply"; }
  Splits splits() const override { return {.pixels = true}; }
  // A vector of x is read before the same vector of the output is written.
  bool may_overwrite(int index) const override { return index == 0; }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(2 * images_ * call_.channels) * sizeof(float);
  }

  void run(const KernelArgs& args) const override {
    GroupNorm call = call_;
    call.x = args.inputs[0];
    call.channel_add = args.inputs[4];
    auto* centre = reinterpret_cast<float*>(args.scratch);
    float* scale = centre + images_ * call.channels;
    const int64_t first_image = args.part.images.begin;
    const int64_t chunks = (call.groups + kChunkGroups - 1) / kChunkGroups;
    parallel_for(args.part.images.size() * chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i / chunks * call.channels;
        combine_blocks(call, args, first_image + i / chunks, i % chunks * kChunkGroups, centre + row,
                       scale + row);
      }
    });
    const int64_t bytes = element_bytes(call.type);
    for_each_run(args.part, std::max<int64_t>(1, 8192 / call.channels),
                 [&](int64_t image, int64_t begin, int64_t end) {
                   const int64_t row = (image - first_image) * call.channels;
                   const PixelRun run = {element_at(call.x, image, begin, 0, bytes),
                                         output_at(args, image, begin, 0, bytes),
                                         end - begin,
                                         centre + row,
                                         scale + row,
                                         reinterpret_cast<const float*>(args.inputs[3].data)};
                   HWY_DYNAMIC_DISPATCH(normalise_pixels)(call.type, attrs_.activation, run, call.channels);
                 });
  }

 private:
  static constexpr int64_t kChunkGroups = 16;

  // Centre and scale for the channels of up to kChunkGroups groups of one image.
  void combine_blocks(const GroupNorm& call, const KernelArgs& args, int64_t image, int64_t first_group,
                      float* centre, float* scale) const {
    const int64_t count = std::min(kChunkGroups, call.groups - first_group);
    const int64_t of_group = call.channels / call.groups;
    const auto* gamma = reinterpret_cast<const float*>(args.inputs[2].data);
    std::array<double, kChunkGroups> mean = {}, squares = {};
    // body(the chunk's means, the chunk's squares, pixels) for each block in order.
    const auto for_each_block = [&](const auto& body) {
      for (int64_t block = 0; block < blocks_.count(); ++block) {
        const auto* at = reinterpret_cast<const float*>(
            element_at(args.inputs[1], image, block, first_group, sizeof(float)));
        body(at, at + call.groups, static_cast<double>(blocks_.pixels_of(block).size()));
      }
    };
    for_each_block([&](const float* means, const float*, double pixels) {
      for (int64_t g = 0; g < count; ++g) mean[static_cast<size_t>(g)] += pixels * means[g];
    });
    for (double& m : mean) m /= static_cast<double>(pixels_);
    for_each_block([&](const float* means, const float* of_block, double pixels) {
      for (int64_t g = 0; g < count; ++g) {
        const double shift = means[g] - mean[static_cast<size_t>(g)];
        squares[static_cast<size_t>(g)] +=
            of_block[g] + pixels * static_cast<double>(of_group) * shift * shift;
      }
    });
    for (int64_t g = 0; g < count; ++g) {
      const double variance = squares[static_cast<size_t>(g)] / static_cast<double>(pixels_ * of_group);
      const double inverse = 1 / std::sqrt(variance + static_cast<double>(attrs_.epsilon));
      const int64_t first = (first_group + g) * of_group;
      for (int64_t c = first; c < first + of_group; ++c) {
        centre[c] = static_cast<float>(mean[static_cast<size_t>(g)] - call.added(image, c));
        scale[c] = static_cast<float>(inverse * gamma[c]);
      }
    }
  }

  GroupNormAttrs attrs_;
  GroupNorm call_;
  int64_t images_, pixels_;
  GroupBlocks blocks_;
};

bool takes_operands(const NodeSpec& node, const Operand& channel_add, std::string& reason) {
  const DType type = stored_dtype(node.operands[0]);
  if (node.operands[0].is_weight || (type != DType::kF32 && type != DType::kBF16)) {
    reason = "takes F32 or BF16";
    return false;
  }
  const DType added = stored_dtype(channel_add);
  if (channel_add.present && added != DType::kF32 && added != DType::kBF16) {
    reason = "takes a channel_add of F32 or BF16";
    return false;
  }
  return true;
}

}  // namespace

std::unique_ptr<Kernel> make_group_statistics(const NodeSpec& node, std::string& reason) {
  if (!takes_operands(node, node.operands[1], reason)) return nullptr;
  return std::make_unique<GroupStatisticsKernel>(node);
}

std::unique_ptr<Kernel> make_group_norm_apply(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason) || !takes_operands(node, node.operands[4], reason)) return nullptr;
  if (stored_dtype(node.operands[2]) != DType::kF32 || stored_dtype(node.operands[3]) != DType::kF32) {
    reason = "takes F32 scale and shift";
    return nullptr;
  }
  return std::make_unique<GroupNormApplyKernel>(node);
}

}  // namespace snug
#endif
