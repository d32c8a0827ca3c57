#include "plan/weight_loads.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"

namespace snug {
namespace {

uint64_t aligned(uint64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

struct Slot {
  uint64_t begin = 0, end = 0;
  int released = 0;  // instructions that must be done before the bytes are free
  int lap = 0;
};

// Lays pieces in the ring, in order.
class Ring {
 public:
  explicit Ring(uint64_t bytes) : bytes_(bytes) {}

  // False when the piece would have to be there before its bytes are free.
  bool add(const WeightPiece& piece, Load& load) {
    const uint64_t size = aligned(piece.bytes);
    if (size > bytes_) return false;
    if (head_ + size > bytes_) {
      head_ = 0;
      ++lap_;
    }
    const Slot slot{head_, head_ + size, piece.last + 1, lap_};
    head_ += size;
    // Of the lap before, what lies before the new end; of older laps, what is left.
    while (oldest_ < slots_.size() && slots_[oldest_].lap < lap_ &&
           (slots_[oldest_].lap < lap_ - 1 || slots_[oldest_].begin < slot.end)) {
      after_ = std::max(after_, slots_[oldest_].released);
      ++oldest_;
    }
    load.target.offset = slot.begin;
    load.every_run = true;
    load.after = after_;
    load.after_previous_run = after_ == 0;
    slots_.push_back(slot);
    return after_ <= piece.first;
  }

  // For each block of bytes, when the run is done with it for good.
  std::vector<int> releases() const {
    std::vector<int> releases(bytes_ / kBlockBytes + 1, 0);
    for (const Slot& slot : slots_) {
      for (uint64_t block = slot.begin / kBlockBytes; block <= (slot.end - 1) / kBlockBytes; ++block) {
        releases[block] = std::max(releases[block], slot.released);
      }
    }
    return releases;
  }

  // What the first loads of a run must wait for in the run before. Whole blocks: a little late at most.
  static int release_of(const std::vector<int>& releases, const Load& load) {
    int after = 0;
    const uint64_t begin = load.target.offset, end = begin + aligned(load.bytes);
    for (uint64_t block = begin / kBlockBytes; block <= (end - 1) / kBlockBytes; ++block) {
      after = std::max(after, releases[block]);
    }
    return after;
  }

 private:
  static constexpr uint64_t kBlockBytes = 32 * 1024;

  uint64_t bytes_;
  uint64_t head_ = 0;
  size_t oldest_ = 0;
  int after_ = 0, lap_ = 0;
  std::vector<Slot> slots_;
};

// As plan_loads, but only whether it is feasible.
bool streams_through(const std::vector<WeightPiece>& pieces, const std::vector<bool>& resident,
                     uint64_t ring_bytes) {
  Ring ring(ring_bytes);
  Load load;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!resident[i] && !ring.add(pieces[i], load)) return false;
  }
  return true;
}

}  // namespace

std::vector<WeightPiece> gather_pieces(const PhaseFacts& facts,
                                       const std::vector<std::vector<WeightUse>>& uses) {
  std::map<std::tuple<ValueId, DType, int64_t, int64_t, uint64_t>, size_t> known;
  std::vector<WeightPiece> pieces;
  for (size_t i = 0; i < uses.size(); ++i) {
    for (const WeightUse& use : uses[i]) {
      const auto at = static_cast<int>(i);
      const auto [found, fresh] =
          known.try_emplace({use.value, use.dtype, use.rows.begin, use.rows.end, use.packing}, pieces.size());
      if (!fresh) {
        pieces[found->second].last = at;
        continue;
      }
      const Value& value = facts.graph->value(use.value);
      const int64_t rows = std::max<int64_t>(1, whole_rows(value.shape).channels.size());
      const int64_t elements = value.shape.elements() / rows * use.rows.size();
      pieces.push_back({use.value, use.dtype, use.rows, use.packing, use.kernel, static_cast<int>(use.input),
                        static_cast<uint64_t>(bytes_of(use.dtype, elements)),
                        static_cast<uint64_t>(bytes_of(value.dtype, elements)), at, at});
    }
  }
  return pieces;
}

LoadPlan plan_loads(const std::vector<WeightPiece>& pieces, const std::vector<bool>& resident,
                    uint64_t ring_bytes, int instructions) {
  LoadPlan plan;
  plan.loads.reserve(pieces.size());
  plan.loads_needed.assign(static_cast<size_t>(instructions), 0);
  Ring ring(ring_bytes);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const WeightPiece& piece = pieces[i];
    Load load{.value = piece.value,
              .rows = piece.rows,
              .dtype = piece.dtype,
              .bytes = piece.bytes,
              .target = {},
              .packing = piece.packing,
              .packing_kernel = piece.packing_kernel,
              .packing_input = piece.packing_input};
    if (resident[i]) {
      plan.resident_bytes += aligned(piece.bytes);
    } else {
      plan.streamed_bytes += piece.file_bytes;
      if (!ring.add(piece, load)) return plan;
    }
    plan.loads.push_back(load);
    int& needed = plan.loads_needed[static_cast<size_t>(piece.first)];
    needed = std::max(needed, static_cast<int>(i) + 1);
  }
  // Loads are done in order: what one waits for, all after it wait for, too.
  const std::vector<int> releases = ring.releases();
  int after = 0;
  for (Load& load : plan.loads) {
    if (!load.after_previous_run) continue;
    load.after = after = std::max(after, Ring::release_of(releases, load));
  }
  for (size_t i = 1; i < plan.loads_needed.size(); ++i) {
    plan.loads_needed[i] = std::max(plan.loads_needed[i], plan.loads_needed[i - 1]);
  }
  plan.feasible = true;
  return plan;
}

uint64_t smallest_ring(const std::vector<WeightPiece>& pieces, const std::vector<bool>& resident,
                       int instructions) {
  // At least what lives at once.
  std::vector<int64_t> change(static_cast<size_t>(instructions) + 1, 0);
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (resident[i]) continue;
    const auto bytes = static_cast<int64_t>(aligned(pieces[i].bytes));
    change[static_cast<size_t>(pieces[i].first)] += bytes;
    change[static_cast<size_t>(pieces[i].last) + 1] -= bytes;
  }
  int64_t now = 0, most = 0;
  for (const int64_t step : change) most = std::max(most, now += step);
  auto ring = static_cast<uint64_t>(most);
  while (ring > 0 && !streams_through(pieces, resident, ring)) ring += aligned(ring / 8);
  return ring;
}

}  // namespace snug
