// How a product is cut into tasks: some rows (output pixels) by some panels (output channels) each.
// gemm_walk.cc says what a task does.
#include <algorithm>
#include <array>
#include <limits>

#include "backend/backend.h"
#include "backend/cpu/amx.h"
#include "backend/cpu/gemm_amx.h"
#include "backend/cpu/gemm_walk.h"
#include "backend/cpu/isa.h"
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
// By panels: a task's rows are gathered in the second-level cache; and so many columns beside them where
// their sums are scratch, too.
constexpr int64_t kTaskRowsByPanel = 384, kTaskColumnsByPanel = 384;
// For fewer columns gathering the rows would cost more than it saves.
constexpr int64_t kFewestColumnsByPanel = 64;
// Of the products of one inner index by one panel, in such: widening that (or bringing it into the
// first-level cache), looking up a row, and gathering an inner index of one.
constexpr double kWideningCost = 3, kRowCost = 30, kGatheringCost = 1;
constexpr int64_t kTasksPerThread = 2, kTasksPerThreadByPanel = 8;
// Rows this far apart share their places in a first-level cache.
constexpr int64_t kCacheWayBytes = 4096;

TileKernels tile_kernels_for(const ProductShape& shape) {
  const bool narrow = shape.type == DType::kBF16;
  if (narrow && used_isa() >= Isa::kAvx512Bf16) return amx_ready() ? amx_tile_kernels() : bf16_tile_kernels();
  const bool by_panel = shape.taps == 1 && shape.outputs >= kFewestColumnsByPanel;
  const TileKernels kernels = by_panel ? f32_panel_kernels() : f32_tile_kernels();
  return narrow ? widened(kernels) : kernels;
}

int64_t channels_of_block(const ProductShape& shape, int64_t step) {
  const int64_t most = shape.taps == 1 ? kBlockOfOneTap : kBlockOfTaps;
  const int64_t blocks = pieces(shape.channels * shape.taps, most);
  return std::min(shape.channels, rounded_up(pieces(shape.channels, blocks), step));
}

int64_t rows_of_task(const ProductShape& shape, bool by_panel) {
  if (by_panel) return kTaskRowsByPanel;
  if (shape.type == DType::kBF16) return kTaskRowsBf16;
  return shape.gated ? kTaskRowsGatedF32 : kTaskRowsF32;
}

}  // namespace

ProductKernel::ProductKernel(const ProductShape& shape)
    : shape_(shape),
      tiles_(tile_kernels_for(shape)),
      block_channels_(channels_of_block(shape, tiles_.channel_step)),
      weight_(tiles_, shape.weight_type, shape.taps, shape.channels, block_channels_),
      panel_bytes_(weight_.panel_bytes()),
      task_rows_(rows_of_task(shape, by_panel())),
      threads_(thread_count()) {
  copies_rows_ = shape.channels * element_bytes(shape.type) % kCacheWayBytes == 0;
  // With one block a tile's sums are done with it.
  const bool done_with_tile = block_channels_ == shape.channels && !by_panel();
  if (shape.gated) gate_rows_ = done_with_tile ? tiles_.rows : task_rows_;
  block_panels_ = std::clamp<int64_t>(most_panels(), 1, pieces(shape.outputs, tiles_.wide));
}

int64_t ProductKernel::most_panels() const {
  const bool f32 = shape_.type == DType::kF32;
  // Without sums in scratch, as many as there are.
  if (by_panel()) return f32 && !shape_.gated ? shape_.outputs : kTaskColumnsByPanel / tiles_.wide;
  const int64_t bytes = used_isa() >= Isa::kAvx512 && f32 ? kPanelsBytesAvx512 : kPanelsBytes;
  const int64_t gate_bytes = f32 ? gate_rows_ * tiles_.wide * 4 : 0;
  return bytes / (products() * panel_bytes_ + gate_bytes);
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
  const bool one_panel = weight_.lies_ready() || by_panel();
  scratch.panels = take(products() * (one_panel ? 1 : block_panels_) * panel_bytes_);
  scratch.panel_of = reinterpret_cast<const std::byte**>(
      take(products() * block_panels_ * static_cast<int64_t>(sizeof(const std::byte*))));
  scratch.pointers = reinterpret_cast<const std::byte**>(
      take(shape_.taps * kMostTileRows * static_cast<int64_t>(sizeof(const std::byte*))));
  if (copies_rows_ || tiles_.space_rows != nullptr) {
    const int64_t bytes =
        tiles_.space_rows != nullptr ? tiles_.spaced_element_bytes : element_bytes(shape_.type);
    scratch.rows = take(tiles_.rows * shape_.taps * block_channels_ * bytes);
  }
  if (by_panel()) {
    scratch.gathered = reinterpret_cast<float*>(take(task_rows_ * block_channels_ * 4));
    scratch.ends =
        reinterpret_cast<RowCall*>(take(products() * task_rows_ * static_cast<int64_t>(sizeof(RowCall))));
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
  const int64_t threads = thread_count();
  const int64_t least_tasks = (by_panel() ? kTasksPerThreadByPanel : kTasksPerThread) * threads;
  const int64_t fewest_rows = run.row_blocks,
                most_rows = std::max(run.row_blocks, run.rows / tiles_.row_step);
  const auto inner = static_cast<double>(shape_.channels * shape_.taps * products());
  const double products = inner * static_cast<double>(run.panels * run.rows);
  const double widening =
      weight_.lies_ready() && !by_panel() ? 0 : kWideningCost * inner * static_cast<double>(run.panels);
  const double row_cost = kRowCost * static_cast<double>(shape_.taps) +
                          (by_panel() ? kGatheringCost * static_cast<double>(shape_.channels) : 0);
  const double looking_up = row_cost * static_cast<double>(run.rows);
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

}  // namespace snug
