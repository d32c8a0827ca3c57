// What a task of a product does. It walks the inner dimension in blocks, and each block in one of two ways.
//
// By tiles: the block's panels are widened into the thread's scratch (or taken where they lie) and stay in
// the second-level cache, while the rows pass them all, a few at a time.
//
// By panels: the rows are gathered into scratch, interleaved, and stay in the second-level cache, while one
// panel after the other stays in the first-level cache and all of them pass it (Goto and van de Geijn,
// "Anatomy of High-Performance Matrix Multiplication", 2008). Where a panel is that small, this takes less
// from the second-level cache: AVX2's tile of 6 x 16 reads 24 bytes for 12 multiply-adds of vectors, not 64.
#include "backend/cpu/gemm_walk.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "backend/cpu/amx.h"
#include "backend/cpu/prefetch.h"

namespace snug {
namespace {

const float* bias_of(const OperandView& bias, int64_t column) {
  if (bias.data == nullptr) return nullptr;
  return reinterpret_cast<const float*>(bias.data) + (column - bias.held.channels.begin);
}

constexpr int64_t kLineBytes = 64;

// Some columns of an F32 row, with sums in another place.
RowCall panel_of_row(RowCall row, int64_t column, int64_t columns, float* sums) {
  row.columns = columns;
  row.sums = sums;
  if (row.bias != nullptr) row.bias += column;
  if (row.residual != nullptr) row.residual += column * static_cast<int64_t>(sizeof(float));
  return row;
}

}  // namespace

void ProductKernel::compute(const Run& run, const Task& task, std::byte* memory) const {
  const Scratch scratch = scratch_of(memory);
  std::optional<AmxScope> amx;
  if (shape_.type == DType::kBF16 && amx_ready()) amx.emplace();
  const int64_t rows = task.last_row - task.first_row;
  for (int64_t channel = 0; channel < shape_.channels; channel += block_channels_) {
    const Tile block{.channel = channel, .channels = std::min(block_channels_, shape_.channels - channel)};
    if (by_panel() && rows > kFewRows) {
      take_panels(run, task, block, scratch);
    } else {
      take_tiles(run, task, block, scratch);
    }
  }
}

void ProductKernel::take_tiles(const Run& run, const Task& task, const Tile& block,
                               const Scratch& scratch) const {
  expand(run, task, block, scratch);
  const int64_t rows = task.last_row - task.first_row, tiles = pieces(rows, tiles_.rows);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const int64_t first = row_cut(rows, tile, tiles), last = row_cut(rows, tile + 1, tiles);
    multiply(run, task,
             {task.first_row + first, static_cast<int>(last - first), block.channel, block.channels},
             scratch);
  }
}

void ProductKernel::expand(const Run& run, const Task& task, const Tile& block, const Scratch& to) const {
  std::byte* room = to.panels;
  for (int product = 0; product < products(); ++product) {
    const OperandView& weight = run.args.inputs[product == 0 ? kProductWeight : kProductGateWeight];
    const std::byte** panel = to.panel_of + product * block_panels_;
    for (int64_t column = task.first_column; column < task.last_column; column += tiles_.wide, ++panel) {
      *panel = panel_of(task, block, weight, column, to, room);
      if (*panel == room) room += panel_bytes_;
    }
  }
}

void ProductKernel::take_panels(const Run& run, const Task& task, const Tile& block,
                                const Scratch& scratch) const {
  gather_task(run, task, block, scratch);
  for (int product = 0; product < products(); ++product) {
    const OperandView& weight = run.args.inputs[product == 0 ? kProductWeight : kProductGateWeight];
    const RowCall* const ends = scratch.ends + product * task_rows_;
    for (int64_t column = task.first_column; column < task.last_column; column += tiles_.wide) {
      pass_panel(task, block, weight, column, {ends, static_cast<size_t>(task_rows_)}, scratch);
    }
  }
  if (block.channel + block.channels < shape_.channels) return;
  for (int64_t r = 0; r < task.last_row - task.first_row; ++r) finish_row(scratch.ends[r]);
}

// All gathered rows past the panel from `column` on. Meanwhile memory brings the next one.
void ProductKernel::pass_panel(const Task& task, const Tile& block, const OperandView& weight, int64_t column,
                               std::span<const RowCall> ends, const Scratch& scratch) const {
  const int64_t columns = std::min(tiles_.wide, task.last_column - column);
  const int64_t width = weight_.panel_width(columns);
  const std::byte* const panel = panel_of(task, block, weight, column, scratch, scratch.panels);
  const int64_t next = std::min(column + tiles_.wide, task.last_column);
  const int64_t next_columns = std::min(tiles_.wide, task.last_column - next);
  const std::byte* const next_panel = weight_.packed(weight, next, next_columns, block.channel);
  const int64_t next_bytes = next_columns * block.channels * element_bytes(shape_.weight_type);
  const int64_t rows = task.last_row - task.first_row;
  const int64_t tile_bytes = rounded_up(pieces(next_bytes, pieces(rows, tiles_.rows)), kLineBytes);
  const int64_t first_column = column - task.first_column;
  const DType type = takes_packed(task, columns) ? shape_.weight_type : DType::kF32;
  Sums sums;
  TileCall call;
  call.taps = 1;
  call.channels = block.channels;
  call.panel = panel;
  call.sums = sums.to.data();
  call.base = sums.base.data();
  int64_t brought = 0;
  for (int64_t row = 0; row < rows; row += tiles_.rows, brought += tile_bytes) {
    const int64_t tile_rows = std::min<int64_t>(tiles_.rows, rows - row);
    const auto tile_ends = ends.subspan(static_cast<size_t>(row), static_cast<size_t>(tile_rows));
    const auto* const a = reinterpret_cast<const std::byte*>(scratch.gathered + row * block.channels);
    call.a = &a;
    call.bias = begin_sums(tile_ends, block.channel == 0, first_column, columns, sums);
    prefetch_sums(tile_ends, first_column);
    prefetch_lines<2>(next_panel, brought, std::min(tile_bytes, next_bytes - brought));
    tiles_.multiply_interleaved(type, static_cast<int>(tile_rows), width, call);
    if (columns < width) take_from(sums, tile_ends, first_column, columns);
  }
}

// Where the rows of a task are to go and, interleaved, what of them the block needs.
void ProductKernel::gather_task(const Run& run, const Task& task, const Tile& block,
                                const Scratch& scratch) const {
  const OperandView& x = run.args.inputs[kProductX];
  const int64_t ahead = tiles_.rows * x.held.channels.size() * run.element_bytes;
  Tile tile = block;
  float* to = scratch.gathered;
  for (tile.row = task.first_row; tile.row < task.last_row; tile.row += tiles_.rows) {
    tile.rows = static_cast<int>(std::min<int64_t>(tiles_.rows, task.last_row - tile.row));
    for (int r = 0; r < tile.rows; ++r) {
      const int64_t row = tile.row + r;
      locate(x, run.image(row), run.pixel(row), tile.channel, scratch.pointers + r);
      prefetch_lines<2>(scratch.pointers[r], ahead, tile.channels * run.element_bytes);
      if (tile.channel == 0) begin_task_row(run, task, tile, row, scratch);
    }
    tiles_.interleave(shape_.type, tile.rows, tile.channels, scratch.pointers, to);
    to += tile.rows * tile.channels;
  }
}

void ProductKernel::begin_task_row(const Run& run, const Task& task, const Tile& tile, int64_t row,
                                   const Scratch& scratch) const {
  RowCall* const ends = scratch.ends + (row - task.first_row);
  std::construct_at(ends, row_call(run, task, tile, row, scratch));
  if (shape_.gated) std::construct_at(ends + task_rows_, gate_call(run, task, *ends));
  if (shape_.type == DType::kF32) return;
  begin_row(*ends);
  if (shape_.gated) begin_row(ends[task_rows_]);
}

// The panel from `column` on, in `room` where it is not multiplied by as it lies in memory.
const std::byte* ProductKernel::panel_of(const Task& task, const Tile& block, const OperandView& weight,
                                         int64_t column, const Scratch& scratch, std::byte* room) const {
  const int64_t columns = std::min(tiles_.wide, task.last_column - column);
  if (takes_packed(task, columns)) return weight_.packed(weight, column, columns, block.channel);
  return weight_.panel(weight, column, columns, block.channel, block.channels, scratch.floats, room);
}

bool ProductKernel::takes_packed(const Task& task, int64_t columns) const {
  const bool few_rows = task.last_row - task.first_row <= kFewRows;
  return (few_rows || by_panel()) && weight_.multiplies_packed() && columns == weight_.panel_width(columns);
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
  for (int64_t column = 0; column < columns; column += tiles_.wide) {
    prefetch_sums(strip.ends, column);
    prefetch_rows(run, tile, column, columns, strip);
    multiply_panel(task, tile, strip, column, strip.panels[column / tiles_.wide]);
  }
}

// And against one of them, which begins at the task's column `column`.
void ProductKernel::multiply_panel(const Task& task, const Tile& tile, const Strip& strip, int64_t column,
                                   const std::byte* panel) const {
  const int64_t columns = std::min(tiles_.wide, task.last_column - task.first_column - column);
  const int64_t width = weight_.panel_width(columns);
  Sums sums;
  TileCall call;
  call.a = strip.a;
  call.taps = shape_.taps;
  call.channels = tile.channels;
  call.panel = panel;
  call.sums = sums.to.data();
  call.base = sums.base.data();
  call.bias = begin_sums(strip.ends, tile.channel == 0, column, columns, sums);
  for (auto r = strip.ends.size(); r < static_cast<size_t>(strip.multiplied_rows); ++r) {
    sums.to[r] = sums.beyond[r].data();
    std::fill_n(sums.to[r], width, 0.0F);
  }
  if (takes_packed(task, columns)) {
    tiles_.multiply_packed(shape_.weight_type, tile.rows, width, call);
  } else {
    tiles_.multiply(strip.multiplied_rows, width, call);
  }
  if (columns < width) take_from(sums, strip.ends, column, columns);
}

// What a panel that is wider than the rest of its rows has put apart.
void ProductKernel::take_from(const Sums& sums, std::span<const RowCall> ends, int64_t column,
                              int64_t columns) {
  for (size_t r = 0; r < ends.size(); ++r) std::copy_n(sums.to[r], columns, ends[r].sums + column);
}

// Where one panel's sums of each row are to go, and what they go on from; the bias that is added to it is
// returned. F32 tiles begin sums themselves, where the panel is whole.
const float* ProductKernel::begin_sums(std::span<const RowCall> ends, bool first, int64_t column,
                                       int64_t columns, Sums& sums) const {
  const int64_t width = weight_.panel_width(columns);
  for (size_t r = 0; r < ends.size(); ++r) sums.base[r] = sums.to[r] = ends[r].sums + column;
  if (columns < width) {
    for (size_t r = 0; r < ends.size(); ++r) {
      float* const apart = sums.beyond[r].data();
      std::fill(std::copy_n(sums.to[r], columns, apart), apart + width, 0.0F);
      sums.base[r] = sums.to[r] = apart;
      if (first && shape_.type == DType::kF32) begin_row(panel_of_row(ends[r], column, columns, apart));
    }
    return zero_sums();
  }
  if (!first || shape_.type != DType::kF32) return zero_sums();
  for (size_t r = 0; r < ends.size(); ++r) {
    const auto* const residual = reinterpret_cast<const float*>(ends[r].residual);
    sums.base[r] = residual == nullptr ? zero_sums() : residual + column;
  }
  return ends[0].bias != nullptr ? ends[0].bias + column : zero_sums();
}

// While one panel is multiplied, memory brings what the next tile will need: its sums behind that panel, and
// a share of its rows. (A convolution's next rows are neighbours of these, mostly there already.) The
// addresses are guesses, wrong where a picture ends.
void ProductKernel::prefetch_sums(std::span<const RowCall> ends, int64_t column) const {
  if (shape_.type != DType::kF32 || ends.size() < 2) return;
  const int64_t ahead = static_cast<int64_t>(ends.size()) * (ends[1].sums - ends[0].sums);
  for (const RowCall& end : ends) {
    for (int64_t at = 0; at < tiles_.wide; at += kLineBytes / 4) {
      prefetch_line(end.sums, (column + at + ahead) * 4);
    }
  }
}

void ProductKernel::prefetch_rows(const Run& run, const Tile& tile, int64_t column, int64_t columns,
                                  const Strip& strip) const {
  if (shape_.taps > 1) return;
  const int64_t ahead = tile.rows * run.args.inputs[kProductX].held.channels.size() * run.element_bytes;
  const int64_t lines = tile.channels * run.element_bytes / kLineBytes;
  const int64_t first = lines * column / columns;
  const int64_t last = lines * std::min(column + tiles_.wide, columns) / columns;
  for (const std::byte* const row : strip.rows) {
    for (int64_t i = first; i < last; ++i) prefetch_line<2>(row, i * kLineBytes + ahead);
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
