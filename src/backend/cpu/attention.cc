// Cuts attention into tasks, a few panels of one head's queries each, and takes each task through the keys
// block by block. attention_tiles.h says what a panel is; its functions do the arithmetic.
//
// The softmax is carried along as in flash attention, with one difference: a weight is 2^(score - offset),
// and the offset need not be the highest score so far, only near enough for sums to stay far from where
// floats end. It starts at 0 and hardly ever has to move, so that scores become weights in the registers in
// which they were summed up. A block whose sums say that it must is done twice.
#include "backend/cpu/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "backend/cpu/amx.h"
#include "backend/cpu/attention_amx.h"
#include "backend/cpu/attention_tiles.h"
#include "backend/cpu/dense_kernel.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/prefetch.h"
#include "base/check.h"
#include "base/parallel.h"

namespace snug {
namespace {

// A block's weights and the rows of its keys and values stay in the second-level cache beside the panels.
constexpr int64_t kMostBlockKeys = 128;
constexpr int64_t kBlockBytes = 192 * 1024;  // keys and values, as floats
// Panels of one task share the work of packing a block, which takes 1/30 of the time of 40 panels.
constexpr int64_t kMostTaskPanels = 64;
// The last of them before the next block, while which memory brings its rows: they lie apart, each in a page
// of its own maybe.
constexpr int64_t kPanelsBeforeBlock = 16;
// Fewer where heads follow each other: what one head leaves of the rows' cache lines is for the next.
constexpr int64_t kMostPanelsOfOneBlock = 8;
constexpr int64_t kPanelsBytes = 1024 * 1024;

struct Attention {
  OperandView q, k, v, out;
  int64_t element_bytes = 4;
  int64_t all_queries = 0, keys = 0;             // of the node
  Interval images, heads, queries;               // the part
  int64_t key_channels = 0, value_channels = 0;  // of one head
  double scale = 1;                              // to scores in powers of two
  bool causal = false;
  // With groups that see themselves alone: where the part's group begins. Queries and keys count from there.
  int64_t first_token = 0;
};

using PanelFloats = std::array<float, kMostPanelQueries>;

// Follows from the node and the instruction set.
struct Sizes {
  int64_t block_keys = 0, task_panels = 0;
  int64_t queries = 0, results = 0, keys = 0, values = 0, weights = 0;  // bytes; of a panel or a block
  int64_t thread_bytes = 0;

  Sizes(const Attention& a, const AttentionTiles& tiles) {
    const int64_t channels = a.key_channels + a.value_channels;
    const int64_t floats = static_cast<int64_t>(sizeof(float));
    const int64_t most_keys = std::clamp<int64_t>(kBlockBytes / (channels * floats), 32, kMostBlockKeys);
    const int64_t blocks = (a.keys + most_keys - 1) / most_keys;
    block_keys = (a.keys + blocks - 1) / blocks;
    queries = tiles.query_bytes(a.key_channels);
    results = a.value_channels * tiles.panel_queries * floats;
    keys = tiles.key_bytes(block_keys, a.key_channels);
    values = tiles.value_bytes(block_keys, a.value_channels);
    weights = tiles.weight_bytes(block_keys);
    const int64_t panels = (a.all_queries + tiles.panel_queries - 1) / tiles.panel_queries;
    const int64_t most_panels = blocks == 1 ? kMostPanelsOfOneBlock : kMostTaskPanels;
    task_panels = std::clamp<int64_t>(kPanelsBytes / (queries + results), 1, std::min(panels, most_panels));
    const int64_t all = task_panels * (queries + results) + keys + values + weights;
    thread_bytes = (all + 63) / 64 * 64;
  }
};

// A thread's scratch.
struct Room {
  std::byte *queries, *results, *keys, *values, *weights;

  Room(const Sizes& sizes, std::byte* memory) {
    queries = memory;
    keys = queries + sizes.task_panels * sizes.queries;
    values = keys + sizes.keys;
    weights = values + sizes.values;
    results = weights + sizes.weights;
  }
};

// What a panel's queries have come to so far.
struct PanelState {
  PanelFloats offsets{}, sums{};
};

// Between these a sum is far from where weights overflow or vanish, and where results with values up to 2^60
// would.
constexpr float kLeastSum = 0x1p-60F, kMostSum = 0x1p60F;
bool in_range(float sum) { return sum > kLeastSum && sum < kMostSum; }

// Moves the offsets of the queries whose sum leaves the range to their highest score; what was summed up
// under the old offset is scaled to the new. Only those queries': whether a neighbour's has to move changes
// no bit of a query's result. Before the first block with a score above -infinity a sum is 0, and results are
// too.
void move_offsets(const AttentionTiles& tiles, ScoreCall call, const PanelFloats& block_sums,
                  int64_t value_channels, float* results, PanelState& state) {
  PanelFloats highest{};
  call.answers = highest.data();
  tiles.find_maxima(call);
  const int64_t panel = tiles.panel_queries;
  PanelFloats factors{};
  factors.fill(1);
  for (int64_t i = 0; i < panel; ++i) {
    float& sum = state.sums[i];
    if (in_range(sum + block_sums[i]) || highest[i] == -std::numeric_limits<float>::infinity()) continue;
    const float offset = sum == 0 ? highest[i] : std::max(state.offsets[i], highest[i]);
    if (sum != 0) factors[i] = std::exp2(state.offsets[i] - offset);
    sum *= factors[i];
    state.offsets[i] = offset;
  }
  if (results == nullptr) return;
  for (int64_t c = 0; c < value_channels; ++c) {
    for (int64_t i = 0; i < panel; ++i) results[c * panel + i] *= factors[i];
  }
}

// One panel against one block of keys. `results` hold nothing before the first.
void attend_block(const AttentionTiles& tiles, const ScoreCall& scores, const ResultCall& values,
                  PanelState& state) {
  PanelFloats block_sums{};
  ScoreCall call = scores;
  call.offsets = state.offsets.data();
  call.answers = block_sums.data();
  tiles.weigh(call);
  bool all_in_range = true;
  for (int64_t i = 0; i < tiles.panel_queries; ++i) {
    all_in_range &= in_range(state.sums[i] + block_sums[i]);
  }
  if (!all_in_range) {
    move_offsets(tiles, call, block_sums, values.channels, values.first ? nullptr : values.results, state);
    tiles.weigh(call);
  }
  for (int64_t i = 0; i < tiles.panel_queries; ++i) state.sums[i] += block_sums[i];
  tiles.add_values(values);
}

// That head's channels of `count` pixels.
HeadRows rows_of(const OperandView& view, const Attention& a, int64_t image, int64_t pixel, int64_t count,
                 int64_t head, int64_t channels) {
  return {element_at(view, image, a.first_token + pixel, head * channels, a.element_bytes),
          view.held.channels.size() * a.element_bytes, count, channels};
}

void prefetch_rows(const HeadRows& rows, int64_t element_bytes) {
  for (int64_t row = 0; row < rows.count; ++row) {
    prefetch_lines<2>(rows.data, row * rows.row_bytes, rows.channels * element_bytes);
  }
}

// Queries of one image and head, as many as task_panels hold or fewer.
struct Task {
  int64_t image = 0, head = 0;
  Interval queries;
};

class TaskRun {
 public:
  TaskRun(const Attention& a, const AttentionTiles& tiles, const Sizes& sizes, const Task& task,
          std::byte* memory)
      : a_(a), tiles_(tiles), sizes_(sizes), task_(task), room_(sizes, memory) {}

  void run() {
    const int64_t panel = tiles_.panel_queries;
    panels_ = (task_.queries.size() + panel - 1) / panel;
    std::fill_n(states_.begin(), panels_, PanelState());
    const int64_t seen = seen_by(panels_ - 1);
    for (int64_t key = 0; key < seen; key += sizes_.block_keys) take_block(key);
  }

 private:
  int64_t first_query(int64_t p) const { return task_.queries.begin + p * tiles_.panel_queries; }
  int64_t count(int64_t p) const {
    return std::min(tiles_.panel_queries, task_.queries.end - first_query(p));
  }
  // Keys [0, seen_by) are those that any of the panel's queries sees.
  int64_t seen_by(int64_t p) const {
    return a_.causal ? std::min(a_.keys, first_query(p) + count(p)) : a_.keys;
  }

  std::byte* queries(int64_t p) const { return room_.queries + p * sizes_.queries; }
  float* results(int64_t p) const { return reinterpret_cast<float*>(room_.results + p * sizes_.results); }

  HeadRows query_rows(int64_t p) const {
    return rows_of(a_.q, a_, task_.image, first_query(p), count(p), task_.head, a_.key_channels);
  }
  HeadRows out_rows(int64_t p) const {
    return rows_of(a_.out, a_, task_.image, first_query(p), count(p), task_.head, a_.value_channels);
  }
  HeadRows key_rows(int64_t key, int64_t count) const {
    return rows_of(a_.k, a_, task_.image, key, count, task_.head, a_.key_channels);
  }
  HeadRows value_rows(int64_t key, int64_t count) const {
    return rows_of(a_.v, a_, task_.image, key, count, task_.head, a_.value_channels);
  }

  // The keys from `key` on, with all panels that see any of them.
  void take_block(int64_t key) {
    const int64_t keys = std::min(sizes_.block_keys, a_.keys - key);
    tiles_.pack_keys(key_rows(key, keys), room_.keys);
    tiles_.pack_values(value_rows(key, keys), room_.values);
    for (int64_t p = 0; p < panels_; ++p) {
      if (key >= seen_by(p)) continue;
      prefetch_share(key + keys, p + kPanelsBeforeBlock - panels_);
      if (key == 0) tiles_.pack_queries(query_rows(p), a_.scale, queries(p));
      attend(p, key, keys);
      if (key + keys >= seen_by(p)) write(p);
    }
  }

  // Of the block from `key` on, one share of kPanelsBeforeBlock.
  void prefetch_share(int64_t key, int64_t share) const {
    const int64_t keys = std::clamp<int64_t>(a_.keys - key, 0, sizes_.block_keys);
    if (share < 0 || keys == 0) return;
    const Interval rows = {keys * share / kPanelsBeforeBlock, keys * (share + 1) / kPanelsBeforeBlock};
    prefetch_rows(key_rows(key + rows.begin, rows.size()), a_.element_bytes);
    prefetch_rows(value_rows(key + rows.begin, rows.size()), a_.element_bytes);
  }

  void attend(int64_t p, int64_t key, int64_t keys) {
    ScoreCall scores;
    scores.queries = queries(p);
    scores.keys = room_.keys;
    scores.key_count = keys;
    scores.channels = a_.key_channels;
    scores.scale = a_.scale;
    scores.causal = a_.causal;
    scores.first_seen = first_query(p) - key;
    scores.weights = room_.weights;
    attend_block(tiles_, scores, {room_.weights, room_.values, keys, a_.value_channels, key == 0, results(p)},
                 states_[p]);
  }

  void write(int64_t p) const {
    PanelFloats factors{};
    for (int64_t i = 0; i < tiles_.panel_queries; ++i) factors[i] = 1 / states_[p].sums[i];
    const HeadRows out = out_rows(p);
    tiles_.write_results(results(p), factors.data(), out.count, out.channels,
                         const_cast<std::byte*>(out.data), out.row_bytes);
  }

  const Attention& a_;
  const AttentionTiles& tiles_;
  const Sizes& sizes_;
  Task task_;
  Room room_;
  int64_t panels_ = 0;
  std::array<PanelState, kMostTaskPanels> states_;
};

AttentionTiles tiles_for(DType type) {
  const Isa isa = used_isa();  // Highway settles on it
  if (type == DType::kBF16 && amx_ready()) return amx_attention_tiles();
  if (type == DType::kBF16 && isa >= Isa::kAvx512Bf16) return bf16_attention_tiles();
  return f32_attention_tiles(type);
}

Attention attention_of(const NodeSpec& node) {
  const auto& attrs = std::get<AttentionAttrs>(node.attrs);
  const Shape& q = node.operands[0].shape;
  const Shape& v = node.operands[2].shape;
  constexpr double kLog2E = 1.4426950408889634;
  Attention a;
  a.element_bytes = node.output.dtype == DType::kF32 ? 4 : 2;
  a.all_queries = attrs.window > 0 ? attrs.window : q[1];
  a.keys = attrs.window > 0 ? attrs.window : v[1];
  a.key_channels = q[2] / attrs.heads;
  a.value_channels = v[2] / attrs.heads;
  a.scale = attrs.scale * kLog2E;
  a.causal = attrs.causal;
  return a;
}

class FlashAttention final : public DenseKernel {
 public:
  explicit FlashAttention(const NodeSpec& node)
      : DenseKernel(node),
        tiles_(tiles_for(node.output.dtype)),
        attention_(attention_of(node)),
        window_(std::get<AttentionAttrs>(node.attrs).window),
        sizes_(attention_, tiles_),
        threads_(thread_count()) {}

  std::string_view name() const override { return "cpu_flash_attention"; }

  Splits splits() const override { return {true, true, attention_.value_channels}; }

  size_t scratch_bytes() const override { return static_cast<size_t>(sizes_.thread_bytes * threads_); }

  void run(const KernelArgs& args) const override {
    SNUG_CHECK(thread_count() <= threads_, "scratch was planned for as many threads as run");
    Attention a = attention_;
    a.q = args.inputs[0];
    a.k = args.inputs[1];
    a.v = args.inputs[2];
    a.out = {args.output, args.output_held};
    a.images = args.part.images;
    a.heads = {args.part.channels.begin / a.value_channels, args.part.channels.end / a.value_channels};
    if (window_ == 0) {
      a.queries = args.part.pixels;
      return attend(a, args.scratch);
    }
    for (int64_t pixel = args.part.pixels.begin; pixel < args.part.pixels.end;) {
      a.first_token = pixel / window_ * window_;
      const int64_t end = std::min(args.part.pixels.end, a.first_token + window_);
      a.queries = {pixel - a.first_token, end - a.first_token};
      attend(a, args.scratch);
      pixel = end;
    }
  }

 private:
  void attend(const Attention& a, std::byte* scratch) const {
    const int64_t rows = a.images.size() * a.heads.size();
    const int64_t step = task_panels(rows, a.queries.size()) * tiles_.panel_queries;
    const int64_t steps = (a.queries.size() + step - 1) / step;
    // Heads whose keys fit a block follow each other, since their rows of queries lie side by side; with more
    // keys than that, tasks that share them do.
    const bool heads_first = a.keys <= sizes_.block_keys;
    parallel_tasks(rows * steps, [&](int64_t index) {
      const int64_t heads = a.heads.size();
      const int64_t image_step = index / heads;
      const int64_t row = heads_first ? image_step / steps * heads + index % heads : index / steps;
      const int64_t first = a.queries.begin + (heads_first ? image_step % steps : index % steps) * step;
      const Task task = {a.images.begin + row / a.heads.size(),
                         a.heads.begin + row % a.heads.size(),
                         {first, std::min(first + step, a.queries.end)}};
      std::optional<AmxScope> amx;
      if (a.element_bytes == 2 && amx_ready()) amx.emplace();
      TaskRun(a, tiles_, sizes_, task, scratch + thread_index() * sizes_.thread_bytes).run();
    });
  }

  // As many as fit, but leaving several tasks to each thread.
  int64_t task_panels(int64_t rows, int64_t queries) const {
    constexpr int64_t kTasksPerThread = 4;
    const int64_t panels = rows * ((queries + tiles_.panel_queries - 1) / tiles_.panel_queries);
    return std::clamp<int64_t>(panels / (kTasksPerThread * thread_count()), 1, sizes_.task_panels);
  }

  AttentionTiles tiles_;
  Attention attention_;
  int64_t window_;  // 0: all tokens see each other
  Sizes sizes_;
  int threads_;
};

}  // namespace

std::unique_ptr<Kernel> make_flash_attention(const NodeSpec& node, std::string& reason) {
  if (!takes_types_of(node, reason)) return nullptr;
  if (node.operands.size() > 3 && node.operands[3].present) {
    reason = "takes no bias";
    return nullptr;
  }
  return std::make_unique<FlashAttention>(node);
}

}  // namespace snug
