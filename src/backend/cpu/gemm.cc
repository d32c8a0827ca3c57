// How a product is cut. A task is some rows (output pixels) by some panels (output channels). It walks the
// inner dimension in blocks: widens the block's panels into its thread's scratch (or takes them where they
// lie), where they stay in the second-level cache, then takes its rows a few at a time past all of them.
#include "backend/cpu/gemm.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "backend/backend.h"
#include "backend/cpu/amx.h"
#include "backend/cpu/gemm_amx.h"
#include "backend/cpu/gemm_rows.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/prefetch.h"
#include "base/check.h"
#include "base/parallel.h"

namespace snug {
namespace {

// Inner indices in a block: panels' rows are read in one go, so a block should outweigh what a tile does at
// its ends; and rows of a tile times this must stay in the first-level cache. Bits depend on these two.
constexpr int64_t kBlockOfOneTap = 384;
constexpr int64_t kBlockOfTaps = 576;
// Of panels at a time: half of the second-level cache, which is 1 MiB or more beside AVX-512. For BF16 half
// of that again, to leave room for sums.
constexpr int64_t kPanelsBytes = 256 * 1024, kPanelsBytesAvx512 = 512 * 1024;
// Rows of a task: enough that expanding the panels costs little beside multiplying by them. For BF16 the sums
// of a task's rows are scratch.
constexpr int64_t kTaskRowsF32 = 768, kTaskRowsBf16 = 448;
// Where the sums of a task's gates are scratch, beside F32 sums that are the output.
constexpr int64_t kTaskRowsGatedF32 = 384;
// Of the products of one inner index by one panel, in such: widening that, and looking up a row.
constexpr double kWideningCost = 3, kRowCost = 30;
constexpr int64_t kTasksPerThread = 2;
// Rows this far apart share their places in a first-level cache.
constexpr int64_t kCacheWayBytes = 4096;

int64_t pieces(int64_t whole, int64_t most) { return (whole + most - 1) / most; }
int64_t rounded_up(int64_t value, int64_t step) { return pieces(value, step) * step; }

TileKernels tile_kernels_for(DType type) {
  if (type == DType::kF32) return f32_tile_kernels();
  if (used_isa() < Isa::kAvx512Bf16) return widened_tile_kernels();
  return amx_ready() ? amx_tile_kernels() : bf16_tile_kernels();
}

int64_t channels_of_block(const ProductShape& shape, int64_t step) {
  const int64_t most = shape.taps == 1 ? kBlockOfOneTap : kBlockOfTaps;
  const int64_t blocks = pieces(shape.channels * shape.taps, most);
  return std::min(shape.channels, rounded_up(pieces(shape.channels, blocks), step));
}

int64_t rows_of_task(const ProductShape& shape) {
  if (shape.type == DType::kBF16) return kTaskRowsBf16;
  return shape.gated ? kTaskRowsGatedF32 : kTaskRowsF32;
}

const float* bias_of(const OperandView& bias, int64_t column) {
  if (bias.data == nullptr) return nullptr;
  return reinterpret_cast<const float*>(bias.data) + (column - bias.held.channels.begin);
}

// Some columns of an F32 row, with sums in another place.
RowCall panel_of_row(RowCall row, int64_t column, int64_t columns, float* sums) {
  row.columns = columns;
  row.sums = sums;
  if (row.bias != nullptr) row.bias += column;
  if (row.residual != nullptr) row.residual += column * static_cast<int64_t>(sizeof(float));
  return row;
}

}  // namespace

// One call of run, in rows: the part's pixels, image after image.
struct ProductKernel::Run {
  const KernelArgs& args;
  int64_t element_bytes = 4;
  int64_t rows = 0, panels = 0;
  int64_t row_blocks = 1, panel_blocks = 1;

  int64_t image(int64_t row) const { return args.part.images.begin + row / args.part.pixels.size(); }
  int64_t pixel(int64_t row) const { return args.part.pixels.begin + row % args.part.pixels.size(); }
};

struct ProductKernel::Task {
  int64_t first_row = 0, last_row = 0;
  int64_t first_column = 0, last_column = 0;  // output channels
};

// Some rows of a task, at some block of the inner dimension.
struct ProductKernel::Tile {
  int64_t row = 0;
  int rows = 0;
  int64_t channel = 0, channels = 0;
};

// A tile's rows against one product's panels.
struct ProductKernel::Strip {
  std::span<const RowCall> ends;           // of the tile's rows
  std::span<const std::byte* const> rows;  // where they are in the input; empty where prefetch did the next
  const std::byte* const* a = nullptr;     // TileCall::a
  const std::byte* const* panels = nullptr;
  int multiplied_rows = 0;  // what TileKernels::space_rows makes of the tile's rows
};

// One panel's, of each row of a tile. A panel whose width goes beyond the output's row has them apart.
struct ProductKernel::Sums {
  std::array<float*, kMostTileRows> to;
  std::array<const float*, kMostTileRows> base;
  alignas(64) std::array<std::array<float, kMostWidth>, kMostTileRows> beyond;
};

// A thread's.
struct ProductKernel::Scratch {
  std::byte* panels = nullptr;           // room for those that do not lie ready
  const std::byte** panel_of = nullptr;  // where each of the task's panels is, then each of the gate's
  const std::byte** pointers = nullptr;  // TileCall::a
  std::byte* rows = nullptr;             // copies of a tile's rows
  float* floats = nullptr;               // BF16 only: a panel before it is narrowed
  float* sums = nullptr;                 // BF16 only
  float* gates = nullptr;                // gated only: their sums
  int64_t bytes = 0;
};

ProductKernel::ProductKernel(const ProductShape& shape)
    : shape_(shape),
      tiles_(tile_kernels_for(shape.type)),
      block_channels_(channels_of_block(shape, tiles_.channel_step)),
      weight_(tiles_, shape.weight_type, shape.taps, shape.channels, block_channels_),
      panel_bytes_(weight_.panel_bytes()),
      task_rows_(rows_of_task(shape)),
      threads_(thread_count()) {
  const int64_t bytes = element_bytes(shape.type);
  const bool large = used_isa() >= Isa::kAvx512 && shape.type == DType::kF32;
  const int64_t panels_bytes = large ? kPanelsBytesAvx512 : kPanelsBytes;
  // With one block a tile's sums are done with it.
  if (shape.gated) gate_rows_ = block_channels_ == shape.channels ? tiles_.rows : task_rows_;
  const int64_t gate_bytes = shape.type == DType::kF32 ? gate_rows_ * tiles_.wide * 4 : 0;
  block_panels_ = std::clamp<int64_t>(panels_bytes / (products() * panel_bytes_ + gate_bytes), 1,
                                      pieces(shape.outputs, tiles_.wide));
  copies_rows_ = shape.channels * bytes % kCacheWayBytes == 0;
}

const std::byte* ProductKernel::zero_row() {
  alignas(64) static constexpr std::array<std::byte, kMostBlockChannels * sizeof(float)> kZeros = {};
  static_assert(kMostBlockChannels >= kBlockOfOneTap && kMostBlockChannels >= kBlockOfTaps / 2);
  return kZeros.data();
}

ProductKernel::Scratch ProductKernel::scratch_of(std::byte* memory) const {
  Scratch scratch;
  const auto take = [&](int64_t bytes) {
    std::byte* const at = memory == nullptr ? nullptr : memory + scratch.bytes;
    scratch.bytes += rounded_up(bytes, static_cast<int64_t>(kArenaAlignment));
    return at;
  };
  // Of panels that lie ready only the last may be too narrow.
  scratch.panels = take(products() * (weight_.lies_ready() ? 1 : block_panels_) * panel_bytes_);
  scratch.panel_of = reinterpret_cast<const std::byte**>(
      take(products() * block_panels_ * static_cast<int64_t>(sizeof(const std::byte*))));
  scratch.pointers = reinterpret_cast<const std::byte**>(
      take(shape_.taps * kMostTileRows * static_cast<int64_t>(sizeof(const std::byte*))));
  if (copies_rows_ || tiles_.space_rows != nullptr) {
    const int64_t bytes =
        tiles_.space_rows != nullptr ? tiles_.spaced_element_bytes : element_bytes(shape_.type);
    scratch.rows = take(tiles_.rows * shape_.taps * block_channels_ * bytes);
  }
  if (shape_.type == DType::kBF16) {
    scratch.floats = reinterpret_cast<float*>(take(2 * panel_bytes_));
    scratch.sums = reinterpret_cast<float*>(take(task_rows_ * block_panels_ * tiles_.wide * 4));
  }
  if (shape_.gated)
    scratch.gates = reinterpret_cast<float*>(take(gate_rows_ * block_panels_ * tiles_.wide * 4));
  return scratch;
}

size_t ProductKernel::scratch_bytes() const {
  return static_cast<size_t>(scratch_of(nullptr).bytes * threads_);
}

void ProductKernel::run(const KernelArgs& args) const {
  SNUG_CHECK(thread_count() <= threads_, "scratch was planned for as many threads as run");
  Run run{args};
  run.element_bytes = element_bytes(shape_.type);
  run.rows = args.part.images.size() * args.part.pixels.size();
  run.panels = pieces(args.part.channels.size(), tiles_.wide);
  if (run.rows == 0 || run.panels == 0) return;
  run.row_blocks = pieces(run.rows, task_rows_);
  run.panel_blocks = pieces(run.panels, block_panels_);
  if (thread_count() > 1) cut_finer(run);
  const int64_t thread_bytes = scratch_of(nullptr).bytes;
  parallel_tasks(run.row_blocks * run.panel_blocks, [&](int64_t index) {
    compute(run, task_of(run, index), args.scratch + thread_index() * thread_bytes);
  });
}

// Cuts so that all threads have work, and one that is held up holds up little: in the way that costs least,
// for rows are looked up anew for each block of panels, and panels widened for each block of rows.
void ProductKernel::cut_finer(Run& run) const {
  const int64_t threads = thread_count(), least_tasks = kTasksPerThread * threads;
  const int64_t fewest_rows = run.row_blocks,
                most_rows = std::max(run.row_blocks, run.rows / tiles_.row_step);
  const auto inner = static_cast<double>(shape_.channels * shape_.taps * products());
  const double products = inner * static_cast<double>(run.panels * run.rows);
  const double widening = weight_.lies_ready() ? 0 : kWideningCost * inner * static_cast<double>(run.panels);
  const double looking_up = kRowCost * static_cast<double>(run.rows * shape_.taps);
  double least = std::numeric_limits<double>::infinity();
  const auto weigh = [&](int64_t row_blocks, int64_t panel_blocks) {
    const int64_t tasks = row_blocks * panel_blocks;
    const double uneven = static_cast<double>(rounded_up(tasks, threads)) / static_cast<double>(tasks);
    const double cost = uneven * (products + looking_up * static_cast<double>(panel_blocks) +
                                  widening * static_cast<double>(row_blocks));
    if (cost >= least) return;
    least = cost;
    run.row_blocks = row_blocks;
    run.panel_blocks = panel_blocks;
  };
  const int64_t fewest_panels = run.panel_blocks;
  const int64_t most_panels = std::min(run.panels, std::max(fewest_panels, least_tasks));
  for (int64_t panel_blocks = fewest_panels; panel_blocks <= most_panels; ++panel_blocks) {
    const int64_t row_blocks = std::max(fewest_rows, pieces(least_tasks, panel_blocks));
    weigh(std::min(most_rows, row_blocks), panel_blocks);
    weigh(std::min(most_rows, rounded_up(row_blocks, threads)), panel_blocks);
  }
}

ProductKernel::Task ProductKernel::task_of(const Run& run, int64_t index) const {
  const Interval& columns = run.args.part.channels;
  const int64_t row_block = index / run.panel_blocks, panel_block = index % run.panel_blocks;
  const auto column = [&](int64_t block) {
    return std::min(columns.end, columns.begin + run.panels * block / run.panel_blocks * tiles_.wide);
  };
  return {row_cut(run.rows, row_block, run.row_blocks), row_cut(run.rows, row_block + 1, run.row_blocks),
          column(panel_block), column(panel_block + 1)};
}

// Where piece `piece` of some rows begins, cut into `pieces` nearly equal ones.
int64_t ProductKernel::row_cut(int64_t rows, int64_t piece, int64_t pieces) const {
  return std::min(rows, rounded_up(rows * piece / pieces, tiles_.row_step));
}

void ProductKernel::compute(const Run& run, const Task& task, std::byte* memory) const {
  const Scratch scratch = scratch_of(memory);
  std::optional<AmxScope> amx;
  if (shape_.type == DType::kBF16 && amx_ready()) amx.emplace();
  const int64_t rows = task.last_row - task.first_row;
  const int64_t tiles = pieces(rows, tiles_.rows);
  for (int64_t channel = 0; channel < shape_.channels; channel += block_channels_) {
    const int64_t channels = std::min(block_channels_, shape_.channels - channel);
    expand(run, task, channel, channels, scratch);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t first = row_cut(rows, tile, tiles), last = row_cut(rows, tile + 1, tiles);
      multiply(run, task, {task.first_row + first, static_cast<int>(last - first), channel, channels},
               scratch);
    }
  }
}

void ProductKernel::expand(const Run& run, const Task& task, int64_t channel, int64_t channels,
                           const Scratch& to) const {
  std::byte* room = to.panels;
  for (int product = 0; product < products(); ++product) {
    const OperandView& weight = run.args.inputs[product == 0 ? kProductWeight : kProductGateWeight];
    const std::byte** panel = to.panel_of + product * block_panels_;
    for (int64_t column = task.first_column; column < task.last_column; column += tiles_.wide, ++panel) {
      const int64_t columns = std::min(tiles_.wide, task.last_column - column);
      if (takes_packed(task, columns)) {
        *panel = weight_.packed(weight, column, columns, channel);
        continue;
      }
      *panel = weight_.panel(weight, column, columns, channel, channels, to.floats, room);
      if (*panel == room) room += panel_bytes_;
    }
  }
}

bool ProductKernel::takes_packed(const Task& task, int64_t columns) const {
  return task.last_row - task.first_row <= kFewRows && weight_.multiplies_packed() &&
         columns == weight_.panel_width(columns);
}

// One tile's rows past all of the task's panels.
void ProductKernel::multiply(const Run& run, const Task& task, const Tile& tile,
                             const Scratch& scratch) const {
  const bool first = tile.channel == 0, last = tile.channel + tile.channels == shape_.channels;
  const auto rows_of_tile = static_cast<size_t>(tile.rows);
  std::array<RowCall, kMostTileRows> ends, gates;
  for (size_t r = 0; r < rows_of_tile; ++r) {
    const int64_t row = tile.row + static_cast<int64_t>(r);
    ends[r] = row_call(run, task, tile, row, scratch);
    if (shape_.gated) gates[r] = gate_call(run, task, ends[r]);
    locate(run.args.inputs[kProductX], run.image(row), run.pixel(row), tile.channel, scratch.pointers + r);
    if (!first || shape_.type == DType::kF32) continue;
    begin_row(ends[r]);
    if (shape_.gated) begin_row(gates[r]);
  }
  std::array<const std::byte*, kMostTileRows> rows;
  std::copy_n(scratch.pointers, rows_of_tile, rows.begin());
  Strip strip{{ends.data(), rows_of_tile}, {rows.data(), rows_of_tile}, scratch.pointers, scratch.panel_of};
  strip.multiplied_rows = gather_rows(tile, scratch);
  multiply_panels(run, task, tile, strip);
  if (shape_.gated) {
    strip.ends = {gates.data(), rows_of_tile};
    strip.rows = {};
    strip.panels += block_panels_;
    multiply_panels(run, task, tile, strip);
  }
  for (size_t r = 0; last && r < rows_of_tile; ++r) finish_row(ends[r]);
}

// Copies a tile's rows where tiles like them better so. Returns how many there are to multiply then.
int ProductKernel::gather_rows(const Tile& tile, const Scratch& scratch) const {
  if (tiles_.space_rows != nullptr) {
    return tiles_.space_rows(tile.rows, shape_.taps, tile.channels, scratch.pointers, scratch.rows);
  }
  const int64_t bytes = tile.channels * element_bytes(shape_.type);
  if (copies_rows_) copy_rows(tile.rows, shape_.taps, bytes, scratch.pointers, scratch.rows);
  return tile.rows;
}

// The same against one product's panels.
void ProductKernel::multiply_panels(const Run& run, const Task& task, const Tile& tile,
                                    const Strip& strip) const {
  const int64_t columns = task.last_column - task.first_column;
  const bool first = tile.channel == 0;
  TileCall call;
  call.a = strip.a;
  call.taps = shape_.taps;
  call.channels = tile.channels;
  Sums sums;
  call.sums = sums.to.data();
  call.base = sums.base.data();
  for (int64_t column = 0; column < columns; column += tiles_.wide) {
    const int64_t there = std::min(tiles_.wide, columns - column);
    const int64_t width = weight_.panel_width(there);
    call.panel = strip.panels[column / tiles_.wide];
    call.bias = begin_sums(strip.ends, first, column, there, sums);
    for (auto r = strip.ends.size(); r < static_cast<size_t>(strip.multiplied_rows); ++r) {
      sums.to[r] = sums.beyond[r].data();
      std::fill_n(sums.to[r], width, 0.0F);
    }
    prefetch(run, tile, column, columns, strip);
    if (takes_packed(task, there)) {
      tiles_.multiply_packed(shape_.weight_type, tile.rows, width, call);
    } else {
      tiles_.multiply(strip.multiplied_rows, width, call);
    }
    for (size_t r = 0; there < width && r < strip.ends.size(); ++r) {
      std::copy_n(sums.to[r], there, strip.ends[r].sums + column);
    }
  }
}

// Where one panel's sums of each row are to go, and what they go on from; the bias that is added to it is
// returned. F32 tiles begin sums themselves, where the panel is whole.
const float* ProductKernel::begin_sums(std::span<const RowCall> ends, bool first, int64_t column,
                                       int64_t columns, Sums& sums) const {
  const int64_t width = weight_.panel_width(columns);
  const bool by_tile = first && shape_.type == DType::kF32 && columns == width;
  for (size_t r = 0; r < ends.size(); ++r) {
    sums.to[r] = ends[r].sums + column;
    if (columns < width) {
      float* const apart = sums.beyond[r].data();
      std::fill(std::copy_n(sums.to[r], columns, apart), apart + width, 0.0F);
      sums.to[r] = apart;
      if (first && shape_.type == DType::kF32) begin_row(panel_of_row(ends[r], column, columns, apart));
    }
    sums.base[r] = sums.to[r];
    if (!by_tile) continue;
    const auto* const residual = reinterpret_cast<const float*>(ends[r].residual);
    sums.base[r] = residual == nullptr ? zero_sums() : residual + column;
  }
  return by_tile && ends[0].bias != nullptr ? ends[0].bias + column : zero_sums();
}

// While one panel is multiplied, memory brings what the next tile will need: its sums behind that panel, and
// a share of its rows. (A convolution's next rows are neighbours of these, mostly there already.) The
// addresses are guesses, wrong where a picture ends.
void ProductKernel::prefetch(const Run& run, const Tile& tile, int64_t column, int64_t columns,
                             const Strip& strip) const {
  constexpr int64_t kLineBytes = 64;
  const int64_t sums_ahead =
      strip.ends.size() < 2 ? 0 : tile.rows * (strip.ends[1].sums - strip.ends[0].sums);
  const int64_t row_ahead = tile.rows * run.args.inputs[kProductX].held.channels.size() * run.element_bytes;
  const int64_t lines =
      shape_.taps == 1 && !strip.rows.empty() ? tile.channels * run.element_bytes / kLineBytes : 0;
  const int64_t first = lines * column / columns;
  const int64_t last = lines * std::min(column + tiles_.wide, columns) / columns;
  for (size_t r = 0; r < static_cast<size_t>(tile.rows); ++r) {
    if (shape_.type == DType::kF32) {
      for (int64_t at = 0; at < tiles_.wide; at += kLineBytes / 4) {
        prefetch_line(strip.ends[r].sums, (column + at + sums_ahead) * 4);
      }
    }
    for (int64_t i = first; i < last; ++i) {
      prefetch_line<2>(strip.rows[r], i * kLineBytes + row_ahead);
    }
  }
}

RowCall ProductKernel::row_call(const Run& run, const Task& task, const Tile& tile, int64_t row,
                                const Scratch& scratch) const {
  const KernelArgs& args = run.args;
  const int64_t image = run.image(row), pixel = run.pixel(row), column = task.first_column;
  const int64_t row_sums = block_panels_ * tiles_.wide;
  const OperandView& residual = args.inputs[kProductResidual];
  RowCall call;
  call.type = shape_.type;
  call.activation = shape_.activation;
  call.columns = task.last_column - column;
  call.output = output_at(args, image, pixel, column, run.element_bytes);
  call.bias = bias_of(args.inputs[kProductBias], column);
  if (residual.data != nullptr) {
    call.residual = element_at(residual, image, pixel, column, run.element_bytes);
  }
  call.sums = shape_.type == DType::kF32 ? reinterpret_cast<float*>(call.output)
                                         : scratch.sums + (row - task.first_row) * row_sums;
  if (shape_.gated) {
    const bool of_tile = gate_rows_ < task_rows_;
    call.gate = scratch.gates + (row - (of_tile ? tile.row : task.first_row)) * row_sums;
  }
  return call;
}

// The sums of a row's gates, which are no output.
RowCall ProductKernel::gate_call(const Run& run, const Task& task, const RowCall& row) const {
  RowCall call;
  call.type = row.type;
  call.columns = row.columns;
  call.bias = bias_of(run.args.inputs[kProductGateBias], task.first_column);
  call.sums = row.gate;
  return call;
}

}  // namespace snug
