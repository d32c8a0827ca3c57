// group_norm in three phases: statistics of each block of pixels, statistics of each group from those of its
// blocks, and the normalised output with channel_add and activation applied on the way. x is read from memory
// twice and the output written once.
//
// A block is a number of pixels that follows from the shape alone and fits a second-level cache, so that its
// two passes (mean, then squared deviations from it) cost one read of memory: accurate however large the mean
// is beside the deviation. Blocks are combined in their order, in double (Chan et al., 1979, "Updating
// formulae and a pairwise algorithm for computing sample variances").
#include <algorithm>
#include <cmath>

#include "backend/cpu/dense_kernel.h"
#include "backend/stored_layout.h"
#include "base/parallel.h"
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

// Of one group in one block: the mean, and the sum of squared deviations from it.
struct BlockStatistics {
  double mean = 0;
  double squares = 0;
};

struct GroupNorm {
  DType type = DType::kF32;
  const std::byte* x = nullptr;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  const std::byte* channel_add = nullptr;  // null when absent
  DType channel_add_type = DType::kF32;
  std::byte* out = nullptr;
  int64_t images = 0, pixels = 0, channels = 0, groups = 0;
  int64_t block_pixels = 0, blocks = 0;  // of one image
  bool add_per_image = false;
  float epsilon = 0;
  Activation activation = Activation::kNone;
  BlockStatistics* blocks_of_groups = nullptr;  // [image][block][group]
  // [image][channel]: y = (x - centre) scale + beta, where centre is the mean less channel_add.
  float* centre = nullptr;
  float* scale = nullptr;

  float added(int64_t image, int64_t channel) const {
    if (channel_add == nullptr) return 0;
    const int64_t i = (add_per_image ? image * channels : 0) + channel;
    return channel_add_type == DType::kF32 ? reinterpret_cast<const float*>(channel_add)[i]
                                           : bf16_to_f32(reinterpret_cast<const uint16_t*>(channel_add)[i]);
  }
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

// body(channel, its group) for `count` channels from `first`.
template <typename Body>
HWY_INLINE void for_each_channel(int64_t first, int64_t count, int64_t of_group, const Body& body) {
  int64_t group = first / of_group, left = of_group - first % of_group;
  for (int64_t c = first; c < first + count; ++c) {
    body(c, group);
    if (--left == 0) {
      ++group;
      left = of_group;
    }
  }
}

// Statistics of every group in one block of one image.
template <typename T>
void block_statistics_as(const GroupNorm& call, int64_t image, int64_t block) {
  HWY_ALIGN float sums[kTileChannels];
  HWY_ALIGN float centre[kTileChannels];
  const int64_t first = block * call.block_pixels, rows = std::min(call.block_pixels, call.pixels - first);
  const int64_t of_group = call.channels / call.groups;
  const T* x = reinterpret_cast<const T*>(call.x) + (image * call.pixels + first) * call.channels;
  BlockStatistics* statistics = call.blocks_of_groups + (image * call.blocks + block) * call.groups;
  std::fill_n(statistics, call.groups, BlockStatistics());
  for (int64_t c0 = 0; c0 < call.channels; c0 += kTileChannels) {
    const int64_t tile = std::min(kTileChannels, call.channels - c0);
    column_sums<false>(x + c0, call.channels, rows, tile, nullptr, sums);
    for_each_channel(c0, tile, of_group, [&](int64_t c, int64_t g) HWY_ATTR {
      statistics[g].mean += static_cast<double>(sums[c - c0]);
      if (call.channel_add != nullptr) statistics[g].mean += static_cast<double>(rows) * call.added(image, c);
    });
  }
  for (int64_t g = 0; g < call.groups; ++g) statistics[g].mean /= static_cast<double>(rows * of_group);
  for (int64_t c0 = 0; c0 < call.channels; c0 += kTileChannels) {
    const int64_t tile = std::min(kTileChannels, call.channels - c0);
    for_each_channel(c0, tile, of_group, [&](int64_t c, int64_t g) HWY_ATTR {
      centre[c - c0] = static_cast<float>(statistics[g].mean - call.added(image, c));
    });
    column_sums<true>(x + c0, call.channels, rows, tile, centre, sums);
    for_each_channel(c0, tile, of_group,
                     [&](int64_t c, int64_t g) HWY_ATTR { statistics[g].squares += sums[c - c0]; });
  }
}

void block_statistics(const GroupNorm& call, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const int64_t image = i / call.blocks, block = i % call.blocks;
    call.type == DType::kF32 ? block_statistics_as<float>(call, image, block)
                             : block_statistics_as<uint16_t>(call, image, block);
  }
}

// Pixels [begin, end) of all images together.
template <typename T, class Function>
HWY_INLINE void normalise(const GroupNorm& call, int64_t begin, int64_t end, const Function& function) {
  const int64_t channels = call.channels;
  for (int64_t pixel = begin; pixel < end; ++pixel) {
    const int64_t image = pixel / call.pixels;
    const T* x = reinterpret_cast<const T*>(call.x) + pixel * channels;
    T* out = reinterpret_cast<T*>(call.out) + pixel * channels;
    const float* centre = call.centre + image * channels;
    const float* scale = call.scale + image * channels;
    const auto value = [&](FloatVector v, FloatVector m, FloatVector s, FloatVector b)
                           HWY_ATTR { return function(hn::MulAdd(hn::Sub(v, m), s, b)); };
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      store(value(load(x + c), load(centre + c), load(scale + c), load(call.beta + c)), out + c);
    }
    if (const int64_t rest = channels - c; rest > 0) {
      store_some(value(load_some(x + c, rest), load_some(centre + c, rest), load_some(scale + c, rest),
                       load_some(call.beta + c, rest)),
                 out + c, rest);
    }
  }
}

void normalise_pixels(const GroupNorm& call, int64_t begin, int64_t end) {
  with_activation(call.activation, [&](auto function) HWY_ATTR {
    call.type == DType::kF32 ? normalise<float>(call, begin, end, function)
                             : normalise<uint16_t>(call, begin, end, function);
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

// Writes centre and scale for the channels of one group of one image.
void combine_blocks(const GroupNorm& call, int64_t image, int64_t group) {
  const int64_t of_group = call.channels / call.groups;
  const auto statistics = [&](int64_t block) -> const BlockStatistics& {
    return call.blocks_of_groups[(image * call.blocks + block) * call.groups + group];
  };
  const auto pixels_of = [&](int64_t block) {
    return static_cast<double>(std::min(call.block_pixels, call.pixels - block * call.block_pixels));
  };
  double mean = 0, squares = 0;
  for (int64_t block = 0; block < call.blocks; ++block) mean += pixels_of(block) * statistics(block).mean;
  mean /= static_cast<double>(call.pixels);
  for (int64_t block = 0; block < call.blocks; ++block) {
    const double shift = statistics(block).mean - mean;
    squares += statistics(block).squares + pixels_of(block) * static_cast<double>(of_group) * shift * shift;
  }
  const double variance = squares / static_cast<double>(call.pixels * of_group);
  const double inverse = 1 / std::sqrt(variance + static_cast<double>(call.epsilon));
  for (int64_t c = group * of_group; c < (group + 1) * of_group; ++c) {
    call.centre[image * call.channels + c] = static_cast<float>(mean - call.added(image, c));
    call.scale[image * call.channels + c] = static_cast<float>(inverse * call.gamma[c]);
  }
}

class GroupNormKernel final : public DenseKernel {
 public:
  explicit GroupNormKernel(const NodeSpec& node) : DenseKernel(node) {
    const auto& attrs = std::get<GroupNormAttrs>(node.attrs);
    const Shape& shape = node.output.shape;
    call_.type = node.output.dtype;
    call_.images = shape[0];
    call_.channels = shape[1];
    call_.pixels = shape[2] * shape[3];
    call_.groups = attrs.groups;
    call_.epsilon = attrs.epsilon;
    call_.activation = attrs.activation;
    call_.channel_add_type = stored_dtype(node.operands[3]);
    call_.add_per_image = node.operands[3].present && node.operands[3].shape[0] > 1;
    // 128 KiB of F32: within every second-level cache of the last ten years. The cap bounds the length of the
    // f32 sums.
    call_.block_pixels = std::clamp<int64_t>(32768 / call_.channels, 1, 512);
    call_.blocks = (call_.pixels + call_.block_pixels - 1) / call_.block_pixels;
  }

  std::string_view name() const override { return "cpu_group_norm"; }

  size_t scratch_bytes() const override {
    return statistics_bytes() + static_cast<size_t>(2 * call_.images * call_.channels) * sizeof(float);
  }

  void run(const KernelArgs& args) const override {
    GroupNorm call = call_;
    call.x = args.inputs[0].data;
    call.gamma = reinterpret_cast<const float*>(args.inputs[1].data);
    call.beta = reinterpret_cast<const float*>(args.inputs[2].data);
    call.channel_add = args.inputs[3].data;
    call.out = args.output;
    call.blocks_of_groups = reinterpret_cast<BlockStatistics*>(args.scratch);
    call.centre = reinterpret_cast<float*>(args.scratch + statistics_bytes());
    call.scale = call.centre + call.images * call.channels;
    parallel_for(call.images * call.blocks, 1, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(block_statistics)(call, begin, end);
    });
    parallel_for(call.images * call.groups, std::max<int64_t>(1, 2048 / call.blocks),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i)
                     combine_blocks(call, i / call.groups, i % call.groups);
                 });
    const int64_t grain = std::max<int64_t>(1, 8192 / call.channels);
    parallel_for(call.images * call.pixels, grain, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(normalise_pixels)(call, begin, end);
    });
  }

 private:
  size_t statistics_bytes() const {
    return static_cast<size_t>(call_.images * call_.blocks * call_.groups) * sizeof(BlockStatistics);
  }

  GroupNorm call_;
};

}  // namespace

std::unique_ptr<Kernel> make_group_norm(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason)) return nullptr;
  if (stored_dtype(node.operands[1]) != DType::kF32 || stored_dtype(node.operands[2]) != DType::kF32) {
    reason = "takes F32 scale and shift";
    return nullptr;
  }
  const Operand& channel_add = node.operands[3];
  if (channel_add.present && stored_dtype(channel_add) != DType::kF32 &&
      stored_dtype(channel_add) != DType::kBF16) {
    reason = "takes a channel_add of F32 or BF16";
    return nullptr;
  }
  return std::make_unique<GroupNormKernel>(node);
}

}  // namespace snug
#endif
