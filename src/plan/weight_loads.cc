#include "plan/weight_loads.h"

#include <algorithm>
#include <utility>

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

  // The slots that are the last to use their bytes, or some of them, by their place: of the last lap all, of
  // those before what reaches beyond the laps after them.
  std::vector<Slot> last_slots() const {
    std::vector<Slot> last, of_lap;
    uint64_t covered = 0;
    for (auto slot = slots_.rbegin(); slot != slots_.rend();) {
      const int lap = slot->lap;
      const uint64_t end = slot->end;
      of_lap.clear();
      for (; slot != slots_.rend() && slot->lap == lap; ++slot) {
        if (slot->end > covered) of_lap.push_back(*slot);
      }
      last.insert(last.end(), of_lap.rbegin(), of_lap.rend());
      covered = std::max(covered, end);
    }
    return last;
  }

 private:
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

std::vector<WeightPiece> gather_pieces(const PhaseFacts& facts, const std::vector<WeightUse>& uses) {
  std::vector<WeightPiece> pieces;
  // By value its last piece so far, and by piece the one of the same value before it. Turns rise.
  constexpr size_t kNone = SIZE_MAX;
  std::vector<size_t> last(facts.graph->values().size(), kNone), before;
  pieces.reserve(uses.size());
  before.reserve(uses.size());
  const auto find = [&](const WeightUse& use) {
    const NodeWeight& weight = *use.weight;
    for (size_t at = last[static_cast<size_t>(weight.value)]; at != kNone; at = before[at]) {
      const WeightPiece& piece = pieces[at];
      if (piece.turn < use.turn) return kNone;
      if (piece.rows == use.rows && piece.dtype == weight.dtype && piece.packing == weight.packing) return at;
    }
    return kNone;
  };
  for (const WeightUse& use : uses) {
    if (const size_t found = find(use); found != kNone) {
      pieces[found].last = use.instruction;
      continue;
    }
    const NodeWeight& weight = *use.weight;
    before.push_back(std::exchange(last[static_cast<size_t>(weight.value)], pieces.size()));
    const int64_t elements = weight.row_elements * use.rows.size();
    const DType file_dtype = facts.graph->value(weight.value).dtype;
    pieces.push_back({weight.value, weight.dtype, use.rows, weight.packing, weight.kernel,
                      static_cast<int>(weight.input), static_cast<uint64_t>(bytes_of(weight.dtype, elements)),
                      static_cast<uint64_t>(bytes_of(file_dtype, elements)), use.instruction, use.instruction,
                      use.turn});
  }
  return pieces;
}

LoadPlan plan_loads(const std::vector<WeightPiece>& pieces, const std::vector<bool>& resident,
                    uint64_t ring_bytes, int instructions) {
  LoadPlan plan;
  plan.loads.reserve(pieces.size());
  plan.turns.reserve(pieces.size());
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
    plan.turns.push_back(piece.turn);
    int& needed = plan.loads_needed[static_cast<size_t>(piece.first)];
    needed = std::max(needed, static_cast<int>(i) + 1);
  }
  // Loads are done in order: what one waits for, all after it wait for, too.
  const std::vector<Slot> slots = ring.last_slots();
  int after = 0;
  size_t at = 0;
  for (Load& load : plan.loads) {
    if (!load.after_previous_run) continue;
    const uint64_t begin = load.target.offset, end = begin + aligned(load.bytes);
    while (at < slots.size() && slots[at].end <= begin) ++at;
    for (size_t i = at; i < slots.size() && slots[i].begin < end; ++i)
      after = std::max(after, slots[i].released);
    load.after = after;
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
