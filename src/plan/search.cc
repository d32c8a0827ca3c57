#include "plan/search.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/units.h"

namespace snug {
namespace {

// Sizes above which a node's weights are taken by output channels, in turn: never; pieces that a disk still
// reads at its full rate; and the least that is worth a read.
constexpr std::array<uint64_t, 4> kSliceBytes = {UINT64_MAX, 16 * kMiB, 2 * kMiB, 128 * kKiB};
// Vectors and other weights up to this size stay: they are not worth a turn of the ring. With the smallest
// slices, memory is so short that only vectors do.
constexpr uint64_t kSmallWeightBytes = 64 * kKiB;
uint64_t small_weight_bytes(uint64_t slice_bytes) {
  return slice_bytes <= kSliceBytes.back() ? kVectorBytes : kSmallWeightBytes;
}
// Of the most that values would take, what they are allowed in turn.
constexpr std::array<double, 6> kShares = {1, 0.6, 0.35, 0.2, 0.08, 0};

// What is within this of the ideal time is not searched on: the search takes as long itself.
constexpr double kWorthwhile = 0.002, kWorthwhileSeconds = 0.03;

// More bands must save this share of a segment's memory, and are not tried further after so many that do not,
// nor come closer to it: a few bands with their overlaps can need more than the whole.
constexpr double kWorthwhileShare = 0.01;
constexpr int kVainTries = 3;
bool saves(uint64_t bytes, uint64_t of_bytes) {
  return static_cast<double>(bytes) < static_cast<double>(of_bytes) * (1 - kWorthwhileShare);
}

int next_bands(int bands) { return bands < 4 ? bands + 1 : bands + bands / 2; }

}  // namespace

PhaseSearch::PhaseSearch(const PhaseFacts& facts, std::vector<bool> linked, int runs, const Rates& rates,
                         bool keep_weights)
    : facts_(facts),
      linked_(std::move(linked)),
      runs_(runs),
      rates_(rates),
      residency_(facts, runs, rates, keep_weights),
      segments_(find_segments(facts)) {
  own_bytes_ = home_bytes_of(facts, {});
  std::map<std::string, int> signatures;
  for (const Segment& segment : segments_) {
    const auto number = static_cast<int>(signatures.size());
    likeness_.push_back(signatures.try_emplace(signature_of(facts, segment), number).first->second);
  }
}

std::shared_ptr<const SegmentPlan> PhaseSearch::plan_of(size_t segment, int bands, uint64_t slice_bytes) {
  auto& known = known_plans_[{segment, bands, bands == 1 ? slice_bytes : 0}];
  if (known == nullptr) {
    known = std::make_shared<SegmentPlan>(plan_segment(facts_, segments_[segment], bands, slice_bytes));
  }
  return known;
}

uint64_t PhaseSearch::own_peak(size_t segment, int bands, uint64_t slice_bytes) {
  const auto [known, fresh] =
      known_peaks_.try_emplace({likeness_[segment], bands, bands == 1 ? slice_bytes : 0}, 0);
  if (fresh) {
    const auto plan = plan_of(segment, bands, slice_bytes);
    const std::vector<uint64_t> live = live_bytes(facts_, segments_[segment], *plan, own_bytes_);
    known->second = live.empty() ? 0 : *std::max_element(live.begin(), live.end());
  }
  return known->second;
}

SegmentPlans PhaseSearch::whole_plans(uint64_t slice_bytes) {
  SegmentPlans plans;
  for (size_t s = 0; s < segments_.size(); ++s) {
    plans.push_back(plan_of(s, segments_[s].least_bands, slice_bytes));
  }
  return plans;
}

SegmentPlans PhaseSearch::choose_bands(uint64_t bytes, uint64_t slice_bytes,
                                       const std::vector<uint64_t>& passing) {
  SegmentPlans plans;
  for (size_t s = 0; s < segments_.size(); ++s) {
    int best = segments_[s].least_bands, vain = 0;
    uint64_t best_bytes = own_peak(s, best, slice_bytes), last_bytes = UINT64_MAX;
    for (int bands = next_bands(best); bands <= segments_[s].most_bands && passing[s] + best_bytes > bytes;
         bands = next_bands(bands)) {
      const uint64_t peak = own_peak(s, bands, slice_bytes);
      if (saves(peak, best_bytes)) {
        best = bands;
        best_bytes = peak;
        vain = 0;
      } else if (!saves(peak, last_bytes) && ++vain == kVainTries) {
        break;
      }
      last_bytes = peak;
    }
    plans.push_back(plan_of(s, best, slice_bytes));
  }
  return plans;
}

// The segment that needs most, and how much.
std::pair<int, uint64_t> PhaseSearch::fullest(const SegmentPlans& plans, const std::vector<uint64_t>& passing,
                                              uint64_t slice_bytes) {
  std::pair<int, uint64_t> worst = {0, 0};
  for (size_t s = 0; s < segments_.size(); ++s) {
    const uint64_t peak = passing[s] + own_peak(s, plans[s]->bands, slice_bytes);
    if (peak > worst.second) worst = {static_cast<int>(s), peak};
  }
  return worst;
}

// The largest value of at most `most_bytes` that only passes by a segment, or kNoValue.
ValueId PhaseSearch::passing_value(int segment, const std::vector<bool>& spilled, uint64_t most_bytes) const {
  const std::vector<int> segment_of = segment_of_nodes(facts_, segments_);
  ValueId best = kNoValue;
  for (size_t i = 0; i < facts_.values.size(); ++i) {
    const ValueFacts& value = facts_.values[i];
    const auto id = static_cast<ValueId>(i);
    if (spilled[i] || facts_.root[i] != id || value.producer < 0 || value.bytes > most_bytes) continue;
    // Where each pass leaves an output for later phases, it has to stay.
    if (value.is_output) continue;
    const std::vector<Stay> stays = stays_of(facts_, segment_of, id, true);
    const bool used = std::any_of(stays.begin(), stays.end(), [&](const Stay& stay) {
      return stay.first <= segment && segment <= stay.last;
    });
    const bool passes = !used && stays.front().first < segment && stays.back().last > segment;
    if (passes && (best == kNoValue || value.bytes > facts_.value_of(best).bytes)) best = id;
  }
  return best;
}

// Values are spilled, largest first, from the segments that are too large, until these fit.
std::vector<bool> PhaseSearch::choose_spilled(uint64_t bytes, uint64_t slice_bytes,
                                              uint64_t most_spill_bytes) {
  std::vector<bool> spilled(facts_.values.size(), false);
  for (uint64_t left = most_spill_bytes;;) {
    const std::vector<uint64_t> passing =
        passing_bytes(facts_, segments_, whole_plans(slice_bytes), spilled, linked_);
    const auto [worst, worst_bytes] =
        fullest(choose_bands(bytes, slice_bytes, passing), passing, slice_bytes);
    if (worst_bytes <= bytes) return spilled;
    const ValueId next = passing_value(worst, spilled, left);
    if (next == kNoValue) return spilled;
    spilled[static_cast<size_t>(next)] = true;
    left -= facts_.value_of(next).bytes;
  }
}

PhaseChoice PhaseSearch::choice_of(SegmentPlans plans, std::vector<bool> spilled) {
  PhaseChoice choice;
  choice.runs = runs_;
  choice.sequence = make_sequence(facts_, segments_, plans, spilled, linked_, rates_);
  choice.plans = std::move(plans);
  choice.spilled = std::move(spilled);
  return choice;
}

// Everything whole, and no kernel ever waiting for more than the disk.
double PhaseSearch::ideal_seconds() {
  if (ideal_seconds_ > 0) return ideal_seconds_;
  const std::vector<bool> nothing(facts_.values.size(), false);
  const PhaseSequence sequence = choice_of(whole_plans(kSliceBytes.front()), nothing).sequence;
  const double kernels = std::accumulate(sequence.seconds.begin(), sequence.seconds.end(), 0.0);
  double bytes = 0;
  for (const WeightPiece& piece : gather_pieces(facts_, sequence.uses)) {
    bytes += static_cast<double>(piece.file_bytes);
  }
  ideal_seconds_ = std::max(kernels, bytes / rates_.read_bytes) + (runs_ - 1) * kernels;
  return ideal_seconds_;
}

// Takes a choice's weights into account, and keeps it when it is the fastest so far. What it found out stays
// for the next question: whether it fitted, and whether more memory could help it.
void PhaseSearch::consider(PhaseChoice choice, uint64_t limit_bytes, uint64_t slice_bytes,
                           Found& found) const {
  found.memory_bound = true;
  if (choice.sequence.values_peak_bytes > limit_bytes) return;
  const auto& seconds = choice.sequence.seconds;
  const double kernels = std::accumulate(seconds.begin(), seconds.end(), 0.0) * runs_;
  if (found.best && kernels >= found.best->seconds()) return;
  auto weights = residency_.fastest(choice.sequence, limit_bytes - choice.sequence.values_peak_bytes,
                                    small_weight_bytes(slice_bytes));
  if (!weights) return;
  found.memory_bound = weights->memory_bound;
  choice.take(std::move(*weights));
  if (!found.best || choice.seconds() < found.best->seconds()) found.best = std::move(choice);
}

std::optional<PhaseChoice> PhaseSearch::fastest(const PhaseLimit& limit) {
  Found found;
  const std::vector<bool> nothing(facts_.values.size(), false);
  const auto good_enough = [&] {
    return found.best && found.best->seconds() <= ideal_seconds() * (1 + kWorthwhile) + kWorthwhileSeconds;
  };
  for (const uint64_t slice_bytes : kSliceBytes) {
    // The smallest slices are for when nothing else fits.
    if (found.best && slice_bytes == kSliceBytes.back()) break;
    const SegmentPlans whole = whole_plans(slice_bytes);
    const std::vector<uint64_t> passing = passing_bytes(facts_, segments_, whole, nothing, linked_);
    PhaseChoice natural = choice_of(whole, nothing);
    const auto most = static_cast<double>(natural.sequence.values_peak_bytes);
    consider(std::move(natural), limit.bytes, slice_bytes, found);
    // What runs whole and is not short of memory gets no faster by needing less.
    if (!found.memory_bound || good_enough()) return std::move(found.best);
    for (const double share : kShares) {
      const auto bytes = std::min<uint64_t>(static_cast<uint64_t>(most * share), limit.bytes);
      consider(choice_of(choose_bands(bytes, slice_bytes, passing), nothing), limit.bytes, slice_bytes,
               found);
      if (good_enough()) return std::move(found.best);
    }
  }
  if (!found.best && limit.spill_bytes > 0) return fastest_spilling(limit);
  return std::move(found.best);
}

// With as little spilled as fits.
std::optional<PhaseChoice> PhaseSearch::fastest_spilling(const PhaseLimit& limit) {
  const uint64_t slice_bytes = kSliceBytes.back();
  Found found;
  for (const double share : kShares) {
    const auto bytes = static_cast<uint64_t>(static_cast<double>(limit.bytes) * share);
    const std::vector<bool> spilled = choose_spilled(bytes, slice_bytes, limit.spill_bytes);
    const std::vector<uint64_t> passing =
        passing_bytes(facts_, segments_, whole_plans(slice_bytes), spilled, linked_);
    consider(choice_of(choose_bands(bytes, slice_bytes, passing), spilled), limit.bytes, slice_bytes, found);
    if (found.best) break;
  }
  return std::move(found.best);
}

const PhaseChoice& PhaseSearch::smallest(uint64_t spill_bytes) {
  const auto known = smallest_.find(spill_bytes);
  if (known != smallest_.end()) return known->second;
  return smallest_.emplace(spill_bytes, find_smallest(spill_bytes)).first->second;
}

bool PhaseSearch::cannot_fit(const PhaseLimit& limit) {
  const std::vector<bool> nothing(facts_.values.size(), false);
  if (choice_of(whole_plans(kSliceBytes.front()), nothing).sequence.values_peak_bytes <= limit.bytes) {
    return false;  // whether there is room for a ring, the search will tell
  }
  return smallest(limit.spill_bytes).peak_bytes() > limit.bytes;
}

PhaseChoice PhaseSearch::find_smallest(uint64_t spill_bytes) {
  std::optional<PhaseChoice> best;
  for (const uint64_t spill : {uint64_t{0}, spill_bytes}) {
    std::vector<bool> spilled(facts_.values.size(), false);
    if (spill > 0) spilled = choose_spilled(0, kSliceBytes.back(), spill);
    const std::vector<uint64_t> passing =
        passing_bytes(facts_, segments_, whole_plans(kSliceBytes.back()), spilled, linked_);
    // Fewest bands that keep every segment under the one that cannot be made smaller; or fewer, or none: all
    // weights of what runs in bands are in the ring at once.
    const uint64_t floor =
        fullest(choose_bands(0, kSliceBytes.back(), passing), passing, kSliceBytes.back()).second;
    for (const uint64_t bytes : {floor, 2 * floor, UINT64_MAX}) {
      PhaseChoice choice = choice_of(choose_bands(bytes, kSliceBytes.back(), passing), spilled);
      choice.take(residency_.smallest(choice.sequence));
      if (!best || choice.peak_bytes() < best->peak_bytes()) best = std::move(choice);
    }
    if (spill_bytes == 0) break;
  }
  return std::move(*best);
}

}  // namespace snug
