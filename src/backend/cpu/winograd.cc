// How the work is cut. A task is some tiles by some panels of output channels. It walks the input channels in
// blocks, and the frames under the window for each block: transforms the block's weights once, which then
// stay in the second-level cache, and takes its tiles a group at a time past them: transforms their inputs,
// multiplies in 36 places, and after the last block transforms the sums into the output. Sums of a task wait
// for the next block in its thread's scratch.
//
// Tiles lie at multiples of four rows and columns of the picture or frame, whatever the part, and the sums of
// a tile are taken in an order that follows from the node's shape: so parts must begin at multiples of four
// rows. Rows are counted through the frames of a clip: where four do not divide a frame's, parts are frames.
#include "backend/cpu/winograd.h"

#include <algorithm>
#include <array>
#include <span>

#include "backend/backend.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/winograd_extents.h"
#include "backend/cpu/winograd_transform.h"
#include "base/check.h"
#include "base/parallel.h"

namespace snug {
namespace {

constexpr int64_t kTaps = 9;
// Of a block. The products take 36 floats of memory for each pair and place of sums; more channels mean fewer
// passes over the sums.
constexpr int64_t kMostChannels = 64;
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
  Splits splits() const override {
    return {true, true, 64,
            e_.frames > 1 && e_.height % kWinogradOutputs != 0 ? e_.height : kWinogradOutputs};
  }
  // A tile's residual is read before the tile is written, and nothing else reads it.
  bool may_overwrite(int index) const override { return index == static_cast<int>(kProductResidual); }
  void run(const KernelArgs& args) const override;

 private:
  // One call of run: the part in tiles, image after image, row after row through the frames.
  struct Run {
    const KernelArgs& args;
    int64_t first_tile_row = 0, tile_rows = 0, tile_columns = 0;
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
  // Some channels of one frame under the window.
  struct Block {
    int64_t channel = 0, channels = 0;
    int64_t window_frame = 0;
  };
  // Tiles of a task that are multiplied together.
  struct Group {
    int64_t first_tile = 0, tiles = 0;
    int64_t first_frame = 0;  // under the window, that any of them sees
    float* sums = nullptr;
  };
  // Where a tile lies.
  struct Place {
    int64_t image = 0, frame = 0, row = 0, column = 0;  // of its first output
  };

  Scratch scratch_of(std::byte* memory) const;
  Task task_of(const Run& run, int64_t index) const;
  Place place_of(const Run& run, int64_t tile) const;
  int64_t tile_row_at(int64_t row) const;
  int64_t first_frame_of(const Place& tile) const;
  Group group_of(const Run& run, const Task& task, const Scratch& scratch, int64_t index,
                 int64_t groups) const;
  void compute(const Run& run, const Task& task, const Scratch& scratch) const;
  void transform_weights(const Run& run, const Task& task, const Block& block, const Scratch& to) const;
  void transform_input(const Run& run, const Place& tile, const Block& block, float* to) const;
  void multiply(const Task& task, const Group& group, const Block& block, const Scratch& scratch) const;
  void transform_output(const Run& run, const Task& task, const Place& tile, const float* sums) const;

  int64_t panel_floats() const { return block_channels_ * tiles_.wide; }
  int64_t weight_place() const { return block_panels_ * panel_floats() + kPad; }
  int64_t input_place() const { return group_tiles_ * block_channels_ + kPad; }
  int64_t sum_row() const { return block_panels_ * tiles_.wide; }
  int64_t sum_place() const { return group_tiles_ * sum_row() + kPad; }

  WinogradExtents e_;
  DType type_, weight_type_;
  TileKernels tiles_;
  WinogradTransforms transforms_;
  int64_t block_channels_, block_panels_, group_tiles_ = 0, groups_ = 0;
  PackedWeight weight_;
  int threads_;
};

Winograd::Winograd(const NodeSpec& node)
    : e_(winograd_extents(node)),
      type_(node.output.dtype),
      weight_type_(product_weight_type(node.operands[kProductWeight])),
      tiles_(f32_tile_kernels()),
      transforms_(winograd_transforms()),
      block_channels_(rounded_up(pieces(e_.channels, pieces(e_.channels, kMostChannels)), 16)),
      block_panels_(std::min(kWinogradBlockOutputs / tiles_.wide, pieces(e_.outputs, tiles_.wide))),
      weight_(tiles_, weight_type_, e_.window_frames * kTaps, e_.channels, block_channels_),
      threads_(thread_count()) {
  const int64_t tiles = e_.tiles();
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
  SNUG_CHECK(args.part.pixels.begin % e_.width == 0 && args.part.pixels.end % e_.width == 0,
             "a part is whole rows");
  Run run{args};
  run.first_tile_row = tile_row_at(args.part.pixels.begin / e_.width);
  run.tile_rows = tile_row_at(args.part.pixels.end / e_.width) - run.first_tile_row;
  run.tile_columns = e_.tile_columns();
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
  const int64_t row = run.first_tile_row + in_image / run.tile_columns;
  return {run.args.part.images.begin + tile / of_image, row / e_.tile_rows(),
          row % e_.tile_rows() * kWinogradOutputs, in_image % run.tile_columns * kWinogradOutputs};
}

// The tile row that begins at that row, counted through the frames of an image; also behind the last one.
int64_t Winograd::tile_row_at(int64_t row) const {
  const int64_t in_frame = row % e_.height;
  SNUG_CHECK(in_frame % kWinogradOutputs == 0, "a part begins and ends between rows of tiles");
  return row / e_.height * e_.tile_rows() + in_frame / kWinogradOutputs;
}

// Of the frames under the window, the first that the tile sees: those before it are zeros. The last is taken
// to be seen, so that there always are sums.
int64_t Winograd::first_frame_of(const Place& tile) const {
  return std::clamp<int64_t>(e_.first_seen + e_.front - tile.frame, 0, e_.window_frames - 1);
}

Winograd::Group Winograd::group_of(const Run& run, const Task& task, const Scratch& scratch, int64_t index,
                                   int64_t groups) const {
  const int64_t tiles = task.last_tile - task.first_tile;
  Group group;
  group.first_tile = task.first_tile + tiles * index / groups;
  group.tiles = task.first_tile + tiles * (index + 1) / groups - group.first_tile;
  group.first_frame = e_.window_frames - 1;
  for (int64_t i = 0; i < group.tiles; ++i) {
    group.first_frame = std::min(group.first_frame, first_frame_of(place_of(run, group.first_tile + i)));
  }
  group.sums = scratch.sums + index * kWinogradPlaces * sum_place();
  return group;
}

// Frames that no tile of a group sees are left out: they would add zeros. That changes no bit of a tile that
// shares its group with one that does see them, for sums that begin at 0 are never -0.
void Winograd::compute(const Run& run, const Task& task, const Scratch& scratch) const {
  const int64_t count = pieces(task.last_tile - task.first_tile, group_tiles_);
  std::array<Group, static_cast<size_t>(kMostGroups)> room;
  const std::span<Group> groups(room.data(), static_cast<size_t>(count));
  int64_t first_frame = e_.window_frames - 1;
  for (int64_t i = 0; i < count; ++i) {
    room[static_cast<size_t>(i)] = group_of(run, task, scratch, i, count);
    first_frame = std::min(first_frame, room[static_cast<size_t>(i)].first_frame);
  }
  for (Block block; block.channel < e_.channels; block.channel += block_channels_) {
    block.channels = std::min(block_channels_, e_.channels - block.channel);
    for (block.window_frame = first_frame; block.window_frame < e_.window_frames; ++block.window_frame) {
      transform_weights(run, task, block, scratch);
      for (const Group& group : groups) {
        if (block.window_frame < group.first_frame) continue;
        for (int64_t i = 0; i < group.tiles; ++i) {
          transform_input(run, place_of(run, group.first_tile + i), block,
                          scratch.inputs + i * block_channels_);
        }
        multiply(task, group, block, scratch);
        const bool last =
            block.channel + block.channels == e_.channels && block.window_frame == e_.window_frames - 1;
        for (int64_t i = 0; last && i < group.tiles; ++i) {
          transform_output(run, task, place_of(run, group.first_tile + i), group.sums + i * sum_row());
        }
      }
    }
  }
}

void Winograd::transform_weights(const Run& run, const Task& task, const Block& block,
                                 const Scratch& to) const {
  WinogradWeightCall transform;
  transform.channels = block.channels;
  transform.to = to.weights;
  transform.place = weight_place();
  const PackedTaps taps{block.window_frame * kTaps, kTaps};
  for (int64_t column = task.first_column; column < task.last_column; column += tiles_.wide) {
    const int64_t columns = std::min(tiles_.wide, task.last_column - column);
    transform.width = weight_.panel_width(columns);
    transform.panel = reinterpret_cast<const float*>(weight_.panel_of(
        taps, run.args.inputs[kProductWeight], column, columns, block.channel, block.channels, to.panel));
    transforms_.weight(transform);
    transform.to += panel_floats();
  }
}

void Winograd::transform_input(const Run& run, const Place& tile, const Block& block, float* to) const {
  const OperandView& x = run.args.inputs[kProductX];
  const int64_t frame = tile.frame - e_.front + block.window_frame;
  std::array<const std::byte*, static_cast<size_t>(kWinogradPlaces)> pixels;
  size_t i = 0;
  for (int64_t row = tile.row - 1; row < tile.row - 1 + kWinogradInputs; ++row) {
    for (int64_t column = tile.column - 1; column < tile.column - 1 + kWinogradInputs; ++column, ++i) {
      const bool inside =
          frame >= e_.first_seen && row >= 0 && row < e_.height && column >= 0 && column < e_.width;
      const int64_t pixel = (frame * e_.height + row) * e_.width + column;
      pixels[i] = inside ? element_at(x, tile.image, pixel, block.channel, element_bytes(type_)) : zeros();
    }
  }
  transforms_.input({type_, pixels.data(), block.channels, to, input_place()});
}

void Winograd::multiply(const Task& task, const Group& group, const Block& block,
                        const Scratch& scratch) const {
  const bool begins = block.channel == 0 && block.window_frame == group.first_frame;
  const int64_t tiles = group.tiles;
  float* sums = group.sums;
  const int64_t columns = task.last_column - task.first_column;
  const int64_t strips = pieces(tiles, tiles_.rows);
  std::array<const std::byte*, kMostTileRows> rows;
  std::array<float*, kMostTileRows> ends;
  std::array<const float*, kMostTileRows> base;
  TileCall call;
  call.a = rows.data();
  call.taps = 1;
  call.channels = block.channels;
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
          base[static_cast<size_t>(r)] = begins ? zero_sums() : end;
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
  for (int64_t y = 0; y < std::min(kWinogradOutputs, e_.height - tile.row); ++y) {
    for (int64_t x = 0; x < std::min(kWinogradOutputs, e_.width - tile.column); ++x) {
      const int64_t pixel = (tile.frame * e_.height + tile.row + y) * e_.width + tile.column + x;
      const auto i = static_cast<size_t>(y * kWinogradOutputs + x);
      output[i] = output_at(args, tile.image, pixel, task.first_column, element);
      if (residual.data != nullptr) {
        added[i] = element_at(residual, tile.image, pixel, task.first_column, element);
      }
    }
  }
  WinogradOutputCall call;
  call.type = type_;
  call.activation = e_.activation;
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

}  // namespace

std::unique_ptr<Kernel> make_winograd_anyway(const NodeSpec& node, std::string& reason) {
  if (!winograd_applies(node, reason)) return nullptr;
  return std::make_unique<Winograd>(node);
}

std::unique_ptr<Kernel> make_winograd(const NodeSpec& node, std::string& reason) {
  if (!winograd_applies(node, reason) || !winograd_pays(node, reason)) return nullptr;
  return std::make_unique<Winograd>(node);
}

}  // namespace snug
