// How the work is cut. A task is some tiles by some panels of output channels. It walks the input channels in
// blocks: transforms the block's weights once, which then stay in the second-level cache, and takes its tiles
// a group at a time past them: transforms their inputs, multiplies in 36 places, and after the last block
// transforms the sums into the output. Sums of a task wait for the next block in its thread's scratch.
//
// Tiles lie at multiples of four rows and columns of the picture, whatever the part, and the sums of a tile
// are taken in an order that follows from the node's shape: so parts must begin at multiples of four rows.
#include "backend/cpu/winograd.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "backend/backend.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/winograd_transform.h"
#include "base/check.h"
#include "base/parallel.h"

namespace snug {
namespace {

constexpr int64_t kTaps = 9;
// Of a block and of a task. The products take 36 floats of memory for each pair and place of sums; more
// outputs mean fewer transforms of the same inputs, more channels fewer passes over the sums.
constexpr int64_t kMostChannels = 64, kMostOutputs = 128;
// Tiles of a group, about: their transformed inputs stay in the second-level cache.
constexpr int64_t kMostGroupTiles = 28;
// Most groups of a task: enough tiles that transforming the weights costs 3 % of the products.
constexpr int64_t kMostGroups = 5;
// A thread's scratch is at most this share of the node's operands, or so many bytes: a task takes fewer tiles
// and outputs for it.
constexpr int64_t kScratchShare = 4, kLeastScratchBytes = 512 * 1024;
// Floats between places, which else would share cache sets.
constexpr int64_t kPad = 16;
constexpr int64_t kTilePixels = kWinogradOutputs * kWinogradOutputs;

int64_t pieces(int64_t whole, int64_t most) { return (whole + most - 1) / most; }
int64_t rounded_up(int64_t value, int64_t step) { return pieces(value, step) * step; }

int64_t tiles_of(const Shape& output) {
  return output[0] * pieces(output[2], kWinogradOutputs) * pieces(output[3], kWinogradOutputs);
}

int64_t operand_bytes(const NodeSpec& node) {
  int64_t bytes = bytes_of(node.output.dtype, node.output.shape.elements());
  for (const Operand& operand : node.operands) {
    if (operand.present) bytes += bytes_of(operand.dtype, operand.shape.elements());
  }
  return bytes;
}

const std::byte* zeros() {
  alignas(64) static constexpr std::array<std::byte, kMostChannels * sizeof(float)> kZeros = {};
  return kZeros.data();
}

class Winograd final : public Kernel {
 public:
  explicit Winograd(const NodeSpec& node);

  std::string_view name() const override { return "cpu_winograd"; }
  size_t scratch_bytes() const override { return static_cast<size_t>(scratch_of(nullptr).bytes * threads_); }
  DType weight_dtype(int index) const override {
    return index == static_cast<int>(kProductWeight) ? weight_type_ : DType::kF32;
  }
  uint64_t weight_packing(int index) const override {
    return index == static_cast<int>(kProductWeight) ? weight_.arrangement() : 0;
  }
  size_t packing_bytes(int index) const override {
    return index == static_cast<int>(kProductWeight) ? weight_.room_bytes() : 0;
  }
  void pack_weight(int /*index*/, std::byte* rows, int64_t count, std::byte* room) const override {
    weight_.pack(rows, count, room);
  }
  Splits splits() const override { return {true, true, 64, kWinogradOutputs}; }
  // A tile's residual is read before the tile is written, and nothing else reads it.
  bool may_overwrite(int index) const override { return index == static_cast<int>(kProductResidual); }
  void run(const KernelArgs& args) const override;

 private:
  // One call of run: the part in tiles, image after image, row after row.
  struct Run {
    const KernelArgs& args;
    int64_t first_row = 0, last_row = 0;  // of the picture
    int64_t tile_rows = 0, tile_columns = 0;
    int64_t tiles = 0, panels = 0;
    int64_t tile_blocks = 1, panel_blocks = 1;
  };
  struct Task {
    int64_t first_tile = 0, last_tile = 0;
    int64_t first_column = 0, last_column = 0;  // output channels
  };
  // A thread's.
  struct Scratch {
    std::byte* panel = nullptr;  // one, of 9 taps
    float* weights = nullptr;    // [36][panels][channels][width]
    float* inputs = nullptr;     // [36][tiles of a group][channels]
    float* sums = nullptr;       // [groups][36][tiles of a group][outputs]
    int64_t bytes = 0;
  };
  // Where a tile lies.
  struct Place {
    int64_t image = 0, row = 0, column = 0;  // of its first output
  };

  Scratch scratch_of(std::byte* memory) const;
  Task task_of(const Run& run, int64_t index) const;
  Place place_of(const Run& run, int64_t tile) const;
  void compute(const Run& run, const Task& task, const Scratch& scratch) const;
  void transform_weights(const Run& run, const Task& task, int64_t channel, int64_t channels,
                         const Scratch& to) const;
  void transform_input(const Run& run, const Place& tile, int64_t channel, int64_t channels, float* to) const;
  void multiply(const Task& task, int64_t tiles, int64_t channel, int64_t channels, const Scratch& scratch,
                float* sums) const;
  void transform_output(const Run& run, const Task& task, const Place& tile, const float* sums) const;

  int64_t panel_floats() const { return block_channels_ * tiles_.wide; }
  int64_t weight_place() const { return block_panels_ * panel_floats() + kPad; }
  int64_t input_place() const { return group_tiles_ * block_channels_ + kPad; }
  int64_t sum_row() const { return block_panels_ * tiles_.wide; }
  int64_t sum_place() const { return group_tiles_ * sum_row() + kPad; }

  Conv2dAttrs attrs_;
  DType type_, weight_type_;
  int64_t channels_, outputs_, height_, width_;
  TileKernels tiles_;
  WinogradTransforms transforms_;
  int64_t block_channels_, block_panels_, group_tiles_ = 0, groups_ = 0;
  PackedWeight weight_;
  int threads_;
};

Winograd::Winograd(const NodeSpec& node)
    : attrs_(std::get<Conv2dAttrs>(node.attrs)),
      type_(node.output.dtype),
      weight_type_(product_weight_type(node.operands[kProductWeight])),
      channels_(node.operands[kProductX].shape[1]),
      outputs_(node.output.shape[1]),
      height_(node.output.shape[2]),
      width_(node.output.shape[3]),
      tiles_(f32_tile_kernels()),
      transforms_(winograd_transforms()),
      block_channels_(rounded_up(pieces(channels_, pieces(channels_, kMostChannels)), 16)),
      block_panels_(std::min(kMostOutputs / tiles_.wide, pieces(outputs_, tiles_.wide))),
      weight_(tiles_, weight_type_, kTaps, channels_, block_channels_),
      threads_(thread_count()) {
  const int64_t tiles = tiles_of(node.output.shape);
  group_tiles_ = std::min(kMostGroupTiles / tiles_.rows * tiles_.rows, tiles);
  groups_ = std::min(kMostGroups, pieces(tiles, group_tiles_));
  const auto most_bytes = std::max(kLeastScratchBytes, operand_bytes(node) / kScratchShare);
  while (scratch_of(nullptr).bytes > most_bytes && (groups_ > 1 || block_panels_ > 1)) {
    if (groups_ > 1) {
      --groups_;
    } else {
      block_panels_ = pieces(block_panels_, 2);
    }
  }
}

Winograd::Scratch Winograd::scratch_of(std::byte* memory) const {
  Scratch scratch;
  const auto take = [&](int64_t floats) {
    std::byte* const at = memory == nullptr ? nullptr : memory + scratch.bytes;
    scratch.bytes += rounded_up(floats * 4, static_cast<int64_t>(kArenaAlignment));
    return at;
  };
  scratch.panel = take(kTaps * panel_floats());
  scratch.weights = reinterpret_cast<float*>(take(kWinogradPlaces * weight_place()));
  scratch.inputs = reinterpret_cast<float*>(take(kWinogradPlaces * input_place()));
  scratch.sums = reinterpret_cast<float*>(take(groups_ * kWinogradPlaces * sum_place()));
  return scratch;
}

// Few tiles are cut finer, so that all threads have work; by tiles where they fill the rows of a product,
// although weights are then transformed more than once: a thread finds the rows that it worked on before in
// its own cache.
void Winograd::run(const KernelArgs& args) const {
  SNUG_CHECK(thread_count() <= threads_, "scratch was planned for as many threads as run");
  const int64_t step = kWinogradOutputs * width_;
  SNUG_CHECK(args.part.pixels.begin % step == 0 &&
                 (args.part.pixels.end % step == 0 || args.part.pixels.end == height_ * width_),
             "a part begins and ends between rows of tiles");
  Run run{args};
  run.first_row = args.part.pixels.begin / width_;
  run.last_row = pieces(args.part.pixels.end, width_);
  run.tile_rows = pieces(run.last_row - run.first_row, kWinogradOutputs);
  run.tile_columns = pieces(width_, kWinogradOutputs);
  run.tiles = args.part.images.size() * run.tile_rows * run.tile_columns;
  run.panels = pieces(args.part.channels.size(), tiles_.wide);
  if (run.tiles == 0 || run.panels == 0) return;
  run.panel_blocks = pieces(run.panels, block_panels_);
  const int64_t threads = thread_count();
  const int64_t most = groups_ * group_tiles_;
  run.tile_blocks = pieces(run.tiles, most);
  if (run.tile_blocks * run.panel_blocks % threads != 0) {
    const int64_t finer = rounded_up(run.tile_blocks, threads);
    if (finer <= pieces(run.tiles, tiles_.rows)) {
      run.tile_blocks = finer;
    } else if (run.tile_blocks * run.panel_blocks < threads) {
      run.panel_blocks = std::min(run.panels, threads);
    }
  }
  const int64_t thread_bytes = scratch_of(nullptr).bytes;
  parallel_tasks(run.tile_blocks * run.panel_blocks, [&](int64_t index) {
    compute(run, task_of(run, index), scratch_of(args.scratch + thread_index() * thread_bytes));
  });
}

Winograd::Task Winograd::task_of(const Run& run, int64_t index) const {
  const Interval& columns = run.args.part.channels;
  const int64_t tile_block = index / run.panel_blocks, panel_block = index % run.panel_blocks;
  const auto column = [&](int64_t block) {
    return std::min(columns.end, columns.begin + run.panels * block / run.panel_blocks * tiles_.wide);
  };
  return {run.tiles * tile_block / run.tile_blocks, run.tiles * (tile_block + 1) / run.tile_blocks,
          column(panel_block), column(panel_block + 1)};
}

Winograd::Place Winograd::place_of(const Run& run, int64_t tile) const {
  const int64_t of_image = run.tile_rows * run.tile_columns, in_image = tile % of_image;
  return {run.args.part.images.begin + tile / of_image,
          run.first_row + in_image / run.tile_columns * kWinogradOutputs,
          in_image % run.tile_columns * kWinogradOutputs};
}

void Winograd::compute(const Run& run, const Task& task, const Scratch& scratch) const {
  const int64_t tiles = task.last_tile - task.first_tile;
  const int64_t groups = pieces(tiles, group_tiles_);
  for (int64_t channel = 0; channel < channels_; channel += block_channels_) {
    const int64_t channels = std::min(block_channels_, channels_ - channel);
    transform_weights(run, task, channel, channels, scratch);
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t first = task.first_tile + tiles * group / groups;
      const int64_t count = task.first_tile + tiles * (group + 1) / groups - first;
      float* const sums = scratch.sums + group * kWinogradPlaces * sum_place();
      for (int64_t i = 0; i < count; ++i) {
        transform_input(run, place_of(run, first + i), channel, channels,
                        scratch.inputs + i * block_channels_);
      }
      multiply(task, count, channel, channels, scratch, sums);
      if (channel + channels < channels_) continue;
      for (int64_t i = 0; i < count; ++i) {
        transform_output(run, task, place_of(run, first + i), sums + i * sum_row());
      }
    }
  }
}

void Winograd::transform_weights(const Run& run, const Task& task, int64_t channel, int64_t channels,
                                 const Scratch& to) const {
  WinogradWeightCall transform;
  transform.channels = channels;
  transform.to = to.weights;
  transform.place = weight_place();
  for (int64_t column = task.first_column; column < task.last_column; column += tiles_.wide) {
    const int64_t columns = std::min(tiles_.wide, task.last_column - column);
    transform.width = weight_.panel_width(columns);
    transform.panel = reinterpret_cast<const float*>(weight_.panel(
        run.args.inputs[kProductWeight], column, columns, channel, channels, nullptr, to.panel));
    transforms_.weight(transform);
    transform.to += panel_floats();
  }
}

void Winograd::transform_input(const Run& run, const Place& tile, int64_t channel, int64_t channels,
                               float* to) const {
  const OperandView& x = run.args.inputs[kProductX];
  std::array<const std::byte*, static_cast<size_t>(kWinogradPlaces)> pixels;
  size_t i = 0;
  for (int64_t row = tile.row - 1; row < tile.row - 1 + kWinogradInputs; ++row) {
    for (int64_t column = tile.column - 1; column < tile.column - 1 + kWinogradInputs; ++column, ++i) {
      // Rows behind the last output's are needed by no output, nor held.
      const bool inside =
          row >= 0 && row < std::min(height_, run.last_row + 1) && column >= 0 && column < width_;
      pixels[i] =
          inside ? element_at(x, tile.image, row * width_ + column, channel, element_bytes(type_)) : zeros();
    }
  }
  transforms_.input({type_, pixels.data(), channels, to, input_place()});
}

void Winograd::multiply(const Task& task, int64_t tiles, int64_t channel, int64_t channels,
                        const Scratch& scratch, float* sums) const {
  const int64_t columns = task.last_column - task.first_column;
  const int64_t strips = pieces(tiles, tiles_.rows);
  std::array<const std::byte*, kMostTileRows> rows;
  std::array<float*, kMostTileRows> ends;
  std::array<const float*, kMostTileRows> base;
  TileCall call;
  call.a = rows.data();
  call.taps = 1;
  call.channels = channels;
  call.sums = ends.data();
  call.base = base.data();
  call.bias = zero_sums();
  for (int64_t place = 0; place < kWinogradPlaces; ++place, sums += sum_place()) {
    const float* const inputs = scratch.inputs + place * input_place();
    for (int64_t strip = 0; strip < strips; ++strip) {
      const int64_t first = tiles * strip / strips, count = tiles * (strip + 1) / strips - first;
      for (int64_t r = 0; r < count; ++r) {
        rows[static_cast<size_t>(r)] =
            reinterpret_cast<const std::byte*>(inputs + (first + r) * block_channels_);
      }
      const float* panel = scratch.weights + place * weight_place();
      for (int64_t column = 0; column < columns; column += tiles_.wide, panel += panel_floats()) {
        for (int64_t r = 0; r < count; ++r) {
          float* const end = sums + (first + r) * sum_row() + column;
          ends[static_cast<size_t>(r)] = end;
          base[static_cast<size_t>(r)] = channel == 0 ? zero_sums() : end;
        }
        call.panel = reinterpret_cast<const std::byte*>(panel);
        const int64_t width = columns - column <= tiles_.narrow ? tiles_.narrow : tiles_.wide;
        tiles_.multiply(static_cast<int>(count), width, call);
      }
    }
  }
}

void Winograd::transform_output(const Run& run, const Task& task, const Place& tile,
                                const float* sums) const {
  const KernelArgs& args = run.args;
  const OperandView& bias = args.inputs[kProductBias];
  const OperandView& residual = args.inputs[kProductResidual];
  std::array<std::byte*, static_cast<size_t>(kTilePixels)> output = {};
  std::array<const std::byte*, static_cast<size_t>(kTilePixels)> added = {};
  const int64_t element = element_bytes(type_);
  for (int64_t y = 0; y < std::min(kWinogradOutputs, run.last_row - tile.row); ++y) {
    for (int64_t x = 0; x < std::min(kWinogradOutputs, width_ - tile.column); ++x) {
      const int64_t pixel = (tile.row + y) * width_ + tile.column + x;
      const auto i = static_cast<size_t>(y * kWinogradOutputs + x);
      output[i] = output_at(args, tile.image, pixel, task.first_column, element);
      if (residual.data != nullptr) {
        added[i] = element_at(residual, tile.image, pixel, task.first_column, element);
      }
    }
  }
  WinogradOutputCall call;
  call.type = type_;
  call.activation = attrs_.activation;
  call.from = sums;
  call.place = sum_place();
  call.columns = task.last_column - task.first_column;
  if (bias.data != nullptr) {
    call.bias = reinterpret_cast<const float*>(bias.data) + (task.first_column - bias.held.channels.begin);
  }
  if (residual.data != nullptr) call.residual = added.data();
  call.output = output.data();
  transforms_.output(call);
}

bool applies(const NodeSpec& node, std::string& reason) {
  const auto& attrs = std::get<Conv2dAttrs>(node.attrs);
  const Shape& weight = node.operands[kProductWeight].shape;
  if (!product_takes(node, reason)) return false;
  if (node.output.dtype != DType::kF32 && used_isa() >= Isa::kAmx) {
    reason = "tiles of BF16 multiply faster than this, which computes in F32";
  } else if (weight[2] != 3 || weight[3] != 3 || attrs.stride != 1) {
    reason = "only for windows of 3×3 and stride 1";
  } else if (attrs.pad_top != 1 || attrs.pad_left != 1 || attrs.pad_bottom != 1 || attrs.pad_right != 1) {
    reason = "only for a padding of 1";
  } else if (used_isa() < Isa::kAvx2) {
    reason = "no AVX2 in use";
  } else {
    return true;
  }
  return false;
}

// Of products by AVX-512's instructions for pairs of BF16, in products of F32, which are what is done here
// for either type.
constexpr double kBf16Rate = 2;

// How many times faster than the product over shifted rows, about. Costs are multiply-adds: what a tile takes
// for each pair of channels, each input and each output channel, and a pair's weights. Measured on a Zen 4
// with AVX-512, over pictures of 1 to 4096 tiles and 16 to 1280 channels: within 25 % of what was gained, and
// mostly below it. Of one image: a batch that is run image by image must have the same kernel.
double likely_gain(const NodeSpec& node) {
  const Shape& x = node.operands[kProductX].shape;
  const auto inputs = static_cast<double>(x[1]), pixels = static_cast<double>(x[2] * x[3]);
  const auto tiles = static_cast<double>(tiles_of(node.output.shape) / x[0]);
  const auto blocks = static_cast<double>(pieces(node.output.shape[1], kMostOutputs));
  const auto outputs = static_cast<double>(rounded_up(node.output.shape[1], 16));
  const double of_a_tile = 45 * inputs * outputs + 200 * inputs * blocks + 150 * outputs;
  const double winograd = tiles * of_a_tile + 190 * inputs * outputs;
  const double gain = static_cast<double>(kTaps) / 0.95 * pixels * inputs * outputs / winograd;
  return node.output.dtype == DType::kF32 ? gain : gain / kBf16Rate;
}

}  // namespace

std::unique_ptr<Kernel> make_winograd_anyway(const NodeSpec& node, std::string& reason) {
  if (!applies(node, reason)) return nullptr;
  return std::make_unique<Winograd>(node);
}

std::unique_ptr<Kernel> make_winograd(const NodeSpec& node, std::string& reason) {
  const double worth_it = node.output.dtype == DType::kF32 ? 1.2 : 1.05;
  constexpr int64_t kFewestChannels = 16;
  if (!applies(node, reason)) return nullptr;
  if (const int64_t channels = node.operands[kProductX].shape[1]; channels < kFewestChannels) {
    reason = fmt::format("{} input channels are too few to pay for their transforms", channels);
  } else if (const double gain = likely_gain(node); gain < worth_it) {
    reason = fmt::format("so small a picture does not pay for transforming the weights ({:.2f} of the speed)",
                         gain);
  } else {
    return std::make_unique<Winograd>(node);
  }
  return nullptr;
}

}  // namespace snug
