#include "plan/residency.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/units.h"

namespace snug {
namespace {

// A ring so many times the smallest reads ahead as far as helps; a ring is at least so large.
constexpr std::array<double, 5> kGrowths = {1, 1.5, 2, 3, 5};
constexpr uint64_t kUsefulRingBytes = 8 * kMiB;
// Stalls and gains below this share of a run do not count.
constexpr double kNoStall = 0.002, kNoGain = 0.001;

uint64_t held_bytes(const WeightPiece& piece) { return piece.bytes + kBufferAlignment; }

std::vector<size_t> by_work(const PhaseSequence& sequence, const std::vector<WeightPiece>& pieces) {
  std::vector<double> density(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    double seconds = 0;
    for (int at = pieces[i].first; at <= pieces[i].last; ++at) {
      seconds += sequence.seconds[static_cast<size_t>(at)];
    }
    density[i] = seconds / static_cast<double>(pieces[i].bytes);
  }
  std::vector<size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return density[a] < density[b]; });
  return order;
}

// Lets pieces stay, in order, as long as there is room.
void fill(const std::vector<WeightPiece>& pieces, const std::vector<size_t>& order, uint64_t room,
          std::vector<bool>& resident) {
  for (const size_t i : order) {
    if (resident[i] || pieces[i].turn > 0 || held_bytes(pieces[i]) > room) continue;
    resident[i] = true;
    room -= held_bytes(pieces[i]);
  }
}

// Sizes of rings to try, rising, from the smallest possible to what helps or fits.
std::vector<uint64_t> ring_sizes(uint64_t smallest, uint64_t streamed, uint64_t room) {
  std::vector<uint64_t> sizes;
  for (const double growth : kGrowths) {
    const double wanted = static_cast<double>(std::max(smallest, kUsefulRingBytes)) * growth;
    uint64_t ring = std::min({static_cast<uint64_t>(wanted), streamed, room});
    ring = std::max(ring / kBufferAlignment * kBufferAlignment, smallest);
    if (ring <= room && (sizes.empty() || ring != sizes.back())) sizes.push_back(ring);
  }
  return sizes;
}

}  // namespace

WeighedSequence weigh(const PhaseFacts& facts, PhaseSequence sequence, bool again) {
  WeighedSequence weighed{std::move(sequence), {}, {}, 0};
  weighed.pieces = gather_pieces(facts, weighed.sequence.uses);
  weighed.sequence.uses = {};  // thousands, and pieces say the same
  if (again) weighed.by_work = by_work(weighed.sequence, weighed.pieces);
  for (const double seconds : weighed.sequence.seconds) weighed.kernel_seconds += seconds;
  return weighed;
}

Residency ResidencyChooser::with(const WeighedSequence& weighed, const std::vector<bool>& resident,
                                 uint64_t ring_bytes) const {
  const PhaseSequence& sequence = weighed.sequence;
  const std::vector<WeightPiece>& pieces = weighed.pieces;
  Residency residency;
  residency.ring_bytes = ring_bytes;
  residency.loads = plan_loads(pieces, resident, ring_bytes, static_cast<int>(sequence.steps.size()));
  if (!residency.loads.feasible) return residency;
  Interleaving work;
  work.instruction_seconds = sequence.seconds;
  work.loads_needed = residency.loads.loads_needed;
  work.loads = &residency.loads.loads;
  for (const WeightPiece& piece : pieces) {
    work.load_seconds.push_back(static_cast<double>(piece.file_bytes) / rates_.read_bytes);
  }
  residency.times = simulate(work, runs_, true);
  // What reading takes away from the kernels.
  const double taken = static_cast<double>(residency.loads.streamed_bytes) * rates_.read_core_seconds /
                       std::max(1, rates_.threads);
  residency.times.later_run_seconds += taken;
  residency.times.first_run_seconds += taken;
  return residency;
}

std::optional<Residency> ResidencyChooser::fastest(const WeighedSequence& weighed, uint64_t bytes,
                                                   uint64_t small_bytes) const {
  const std::vector<WeightPiece>& pieces = weighed.pieces;
  const auto instructions = static_cast<int>(weighed.sequence.steps.size());
  std::vector<bool> small(pieces.size());
  uint64_t stay = 0, streamed = 0;
  bool rereads = false;
  for (size_t i = 0; i < pieces.size(); ++i) {
    rereads = rereads || pieces[i].turn > 0;
    small[i] = pieces[i].turn == 0 && pieces[i].bytes <= small_bytes;
    (small[i] ? stay : streamed) += held_bytes(pieces[i]);
  }
  if (!rereads && (runs_ > 1 || keep_) && stay + streamed <= bytes) {
    return with(weighed, std::vector<bool>(pieces.size(), true), 0);
  }
  const uint64_t ring_floor = smallest_ring(pieces, small, instructions);
  if (stay + ring_floor > bytes) return std::nullopt;
  if (ring_floor == 0) return with(weighed, small, 0);

  const uint64_t room = bytes - stay;
  const std::vector<uint64_t> rings = ring_sizes(ring_floor, streamed, room);
  std::optional<Residency> best;
  for (const uint64_t ring : rings) {
    std::vector<bool> resident = small;
    // What runs once is read once, whether it stays or not.
    if (runs_ > 1) fill(pieces, weighed.by_work, room - ring, resident);
    Residency residency = with(weighed, resident, ring);
    if (!residency.loads.feasible) continue;
    residency.memory_bound = runs_ > 1 || rings.back() == room / kBufferAlignment * kBufferAlignment;
    const double seconds = residency.times.later_run_seconds;
    if (!best || seconds < best->times.later_run_seconds * (1 - kNoGain)) best = std::move(residency);
    // A larger ring could win nothing.
    if (best->times.stall_seconds <= kNoStall * best->times.later_run_seconds) break;
  }
  return best;
}

Residency ResidencyChooser::smallest(const WeighedSequence& weighed) const {
  const std::vector<WeightPiece>& pieces = weighed.pieces;
  const bool rereads =
      std::any_of(pieces.begin(), pieces.end(), [](const WeightPiece& piece) { return piece.turn > 0; });
  // What is not read again with the others is needed from the first turn to the last: in the ring it would
  // keep all that is behind it from being replaced.
  const uint64_t small_bytes = rereads ? kSmallWeightBytes : kVectorBytes;
  std::vector<bool> small(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) small[i] = pieces[i].turn == 0 && pieces[i].bytes <= small_bytes;
  const uint64_t ring = smallest_ring(pieces, small, static_cast<int>(weighed.sequence.steps.size()));
  return with(weighed, small, ring);
}

}  // namespace snug
