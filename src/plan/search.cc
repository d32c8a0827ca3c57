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
constexpr uint64_t kVectorBytes = 8 * kKiB;
uint64_t small_weight_bytes(uint64_t slice_bytes) {
  return slice_bytes <= kSliceBytes.back() ? kVectorBytes : kSmallWeightBytes;
}
// Of the most that values would take, what they are allowed in turn.
constexpr std::array<double, 10> kShares = {1, 0.8, 0.65, 0.5, 0.4, 0.3, 0.2, 0.12, 0.06, 0};

// What is within this of the ideal time is not searched on: the search takes as long itself.
constexpr double kWorthwhile = 0.002, kWorthwhileSeconds = 0.03;

// More bands must save this share of a segment's memory, and are not tried further after so many that do not.
constexpr double kWorthwhileShare = 0.01;
constexpr int kVainTries = 3;

// A ring so many times the smallest reads ahead as far as helps.
constexpr double kMostGrowth = 5;

int next_bands(int bands) { return bands < 4 ? bands + 1 : bands + bands / 2; }

}  // namespace

PhaseSearch::PhaseSearch(const PhaseFacts& facts, std::vector<bool> linked, int runs, const Rates& rates)
    : facts_(facts), linked_(std::move(linked)), runs_(runs), rates_(rates), segments_(find_segments(facts)) {
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
  for (size_t s = 0; s < segments_.size(); ++s) plans.push_back(plan_of(s, 1, slice_bytes));
  return plans;
}

SegmentPlans PhaseSearch::choose_bands(uint64_t bytes, uint64_t slice_bytes,
                                       const std::vector<uint64_t>& passing) {
  SegmentPlans plans;
  for (size_t s = 0; s < segments_.size(); ++s) {
    int best = 1, vain = 0;
    uint64_t best_bytes = own_peak(s, 1, slice_bytes);
    for (int bands = 2; bands <= segments_[s].most_bands && passing[s] + best_bytes > bytes;
         bands = next_bands(bands)) {
      const uint64_t peak = own_peak(s, bands, slice_bytes);
      if (static_cast<double>(peak) < static_cast<double>(best_bytes) * (1 - kWorthwhileShare)) {
        best = bands;
        best_bytes = peak;
        vain = 0;
      } else if (++vain == kVainTries) {
        break;
      }
    }
    plans.push_back(plan_of(s, best, slice_bytes));
  }
  return plans;
}

// Values are spilled, largest first, from the segments that are too large, until these fit.
std::vector<bool> PhaseSearch::choose_spilled(uint64_t bytes, uint64_t slice_bytes,
                                              uint64_t most_spill_bytes) {
  std::vector<bool> spilled(facts_.values.size(), false);
  const std::vector<int> segment_of = segment_of_nodes(facts_, segments_);
  uint64_t total = 0;
  for (;;) {
    const std::vector<uint64_t> passing =
        passing_bytes(facts_, segments_, whole_plans(slice_bytes), spilled, linked_);
    const SegmentPlans plans = choose_bands(bytes, slice_bytes, passing);
    // The fullest segment decides which value goes next.
    size_t worst = 0;
    uint64_t worst_bytes = 0;
    for (size_t s = 0; s < segments_.size(); ++s) {
      const uint64_t peak = passing[s] + own_peak(s, plans[s]->bands, slice_bytes);
      if (peak > worst_bytes) {
        worst = s;
        worst_bytes = peak;
      }
    }
    if (worst_bytes <= bytes) return spilled;
    ValueId best = kNoValue;
    for (size_t id = 0; id < facts_.values.size(); ++id) {
      const ValueFacts& value = facts_.values[id];
      if (spilled[id] || facts_.root[id] != static_cast<ValueId>(id) || value.producer < 0) continue;
      // Where each pass leaves an output for later phases, it has to stay.
      if (value.is_output) continue;
      if (total + value.bytes > most_spill_bytes) continue;
      const auto here = static_cast<int>(worst);
      const std::vector<Stay> stays = stays_of(facts_, segment_of, static_cast<ValueId>(id), true);
      const bool passes = stays.front().first < here && stays.back().last > here &&
                          std::none_of(stays.begin(), stays.end(), [&](const Stay& stay) {
                            return stay.first <= here && here <= stay.last;
                          });
      if (passes && (best == kNoValue || value.bytes > facts_.value_of(best).bytes)) {
        best = static_cast<ValueId>(id);
      }
    }
    if (best == kNoValue) return spilled;
    spilled[static_cast<size_t>(best)] = true;
    total += facts_.value_of(best).bytes;
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

PhaseSearch::Weights PhaseSearch::weights_with(const PhaseSequence& sequence,
                                               const std::vector<WeightPiece>& pieces,
                                               const std::vector<bool>& resident, uint64_t ring_bytes) {
  Weights weights;
  weights.ring_bytes = ring_bytes;
  weights.loads = plan_loads(pieces, resident, ring_bytes, static_cast<int>(sequence.steps.size()));
  if (!weights.loads.feasible) return weights;
  Interleaving work;
  work.instruction_seconds = sequence.seconds;
  work.loads_needed = weights.loads.loads_needed;
  work.loads = &weights.loads.loads;
  for (const WeightPiece& piece : pieces) {
    work.load_seconds.push_back(static_cast<double>(piece.file_bytes) / rates_.read_bytes);
  }
  weights.times = simulate(work, runs_);
  // What reading takes away from the kernels.
  const double taken = static_cast<double>(weights.loads.streamed_bytes) * rates_.read_core_seconds /
                       std::max(1, rates_.threads);
  weights.times.later_run_seconds += taken;
  weights.times.first_run_seconds += taken;
  return weights;
}

// Nothing when even the smallest ring does not fit in `bytes`.
std::optional<PhaseSearch::Weights> PhaseSearch::choose_weights(const PhaseSequence& sequence, uint64_t bytes,
                                                                uint64_t small_limit_bytes) {
  const std::vector<WeightPiece> pieces = gather_pieces(facts_, sequence.uses);
  const auto instructions = static_cast<int>(sequence.steps.size());
  std::vector<bool> small(pieces.size());
  uint64_t small_bytes = 0, large_bytes = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    small[i] = pieces[i].bytes <= small_limit_bytes;
    (small[i] ? small_bytes : large_bytes) += pieces[i].bytes + kBufferAlignment;
  }
  if (runs_ > 1 && small_bytes + large_bytes <= bytes) {
    return weights_with(sequence, pieces, std::vector<bool>(pieces.size(), true), 0);
  }
  const uint64_t ring_floor = smallest_ring(pieces, small, instructions);
  if (small_bytes + ring_floor > bytes) return std::nullopt;
  if (ring_floor == 0) return weights_with(sequence, pieces, small, 0);

  // Seconds of work that each piece's bytes give the streamer to read others in.
  std::vector<double> density(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    double seconds = 0;
    for (int at = pieces[i].first; at <= pieces[i].last; ++at)
      seconds += sequence.seconds[static_cast<size_t>(at)];
    density[i] = seconds / static_cast<double>(pieces[i].bytes);
  }
  std::vector<size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return density[a] < density[b]; });

  const uint64_t room = bytes - small_bytes;
  const bool memory_bound =
      runs_ > 1 ||
      static_cast<double>(room) < static_cast<double>(std::max(ring_floor, 8 * kMiB)) * kMostGrowth;
  std::optional<Weights> best;
  uint64_t tried = 0;
  for (const double growth : {1.0, 1.5, 2.0, 3.0, kMostGrowth}) {
    // A run that happens once needs no more of a ring than reads ahead well.
    uint64_t ring = static_cast<uint64_t>(static_cast<double>(std::max(ring_floor, 8 * kMiB)) * growth);
    ring = std::clamp(ring / kBufferAlignment * kBufferAlignment, ring_floor,
                      room / kBufferAlignment * kBufferAlignment);
    if (ring == tried || ring > room) continue;
    tried = ring;
    std::vector<bool> resident = small;
    if (runs_ > 1) {
      uint64_t left = room - ring;
      for (const size_t i : order) {
        const uint64_t size = pieces[i].bytes + kBufferAlignment;
        if (resident[i] || size > left) continue;
        resident[i] = true;
        left -= size;
      }
    }
    Weights weights = weights_with(sequence, pieces, resident, ring);
    if (!weights.loads.feasible) continue;
    weights.memory_bound = memory_bound;
    if (!best || weights.times.later_run_seconds * runs_ < best->times.later_run_seconds * runs_ * 0.999) {
      best = std::move(weights);
    }
    // A larger ring could win nothing.
    if (best->times.stall_seconds <= kWorthwhile * best->times.later_run_seconds) break;
  }
  return best;
}

// Everything whole, and no kernel ever waiting for more than the disk.
double PhaseSearch::ideal_of(const PhaseSequence& sequence) const {
  const double kernels = std::accumulate(sequence.seconds.begin(), sequence.seconds.end(), 0.0);
  double bytes = 0;
  for (const WeightPiece& piece : gather_pieces(facts_, sequence.uses)) {
    bytes += static_cast<double>(piece.file_bytes);
  }
  return std::max(kernels, bytes / rates_.read_bytes) + (runs_ - 1) * kernels;
}

std::optional<PhaseChoice> PhaseSearch::fastest(const PhaseLimit& limit) {
  std::optional<PhaseChoice> best;
  bool memory_bound = true;  // of what was considered last
  const auto consider = [&](PhaseChoice choice, uint64_t slice_bytes) {
    if (choice.sequence.values_peak_bytes > limit.bytes) return false;
    const double kernels =
        std::accumulate(choice.sequence.seconds.begin(), choice.sequence.seconds.end(), 0.0) * runs_;
    if (best && kernels >= best->seconds()) return false;
    auto weights = choose_weights(choice.sequence, limit.bytes - choice.sequence.values_peak_bytes,
                                  small_weight_bytes(slice_bytes));
    if (!weights) return false;
    choice.loads = std::move(weights->loads);
    choice.ring_bytes = weights->ring_bytes;
    choice.times = std::move(weights->times);
    memory_bound = weights->memory_bound;
    if (!best || choice.seconds() < best->seconds()) best = std::move(choice);
    return true;
  };
  const std::vector<bool> nothing(facts_.values.size(), false);
  double ideal_seconds = 0;
  for (const uint64_t slice_bytes : kSliceBytes) {
    const SegmentPlans whole = whole_plans(slice_bytes);
    const std::vector<uint64_t> passing = passing_bytes(facts_, segments_, whole, nothing, linked_);
    PhaseChoice natural = choice_of(whole, nothing);
    const auto most = static_cast<double>(natural.sequence.values_peak_bytes);
    if (ideal_seconds == 0) ideal_seconds = ideal_of(natural.sequence);
    const auto good_enough = [&] {
      return best && best->seconds() <= ideal_seconds * (1 + kWorthwhile) + kWorthwhileSeconds;
    };
    // With everything whole and resident there is nothing to win.
    // What runs whole and is not short of memory gets no faster by needing less.
    if (consider(std::move(natural), slice_bytes) && !memory_bound) return best;
    if (good_enough()) return best;
    for (const double share : kShares) {
      const auto bytes = std::min<uint64_t>(static_cast<uint64_t>(most * share), limit.bytes);
      SegmentPlans plans = choose_bands(bytes, slice_bytes, passing);
      consider(choice_of(std::move(plans), nothing), slice_bytes);
      if (good_enough()) return best;
    }
  }
  if (best || limit.spill_bytes == 0) return best;
  for (const double share : kShares) {
    const auto bytes = static_cast<uint64_t>(static_cast<double>(limit.bytes) * share);
    const std::vector<bool> spilled = choose_spilled(bytes, kSliceBytes.back(), limit.spill_bytes);
    const std::vector<uint64_t> passing =
        passing_bytes(facts_, segments_, whole_plans(kSliceBytes.back()), spilled, linked_);
    consider(choice_of(choose_bands(bytes, kSliceBytes.back(), passing), spilled), kSliceBytes.back());
    if (best) break;
  }
  return best;
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
    // Fewest bands that keep every segment under the one that cannot be made smaller.
    uint64_t floor = 0;
    const SegmentPlans least = choose_bands(0, kSliceBytes.back(), passing);
    for (size_t s = 0; s < segments_.size(); ++s) {
      floor = std::max(floor, passing[s] + own_peak(s, least[s]->bands, kSliceBytes.back()));
    }
    PhaseChoice choice = choice_of(choose_bands(floor, kSliceBytes.back(), passing), spilled);
    const std::vector<WeightPiece> pieces = gather_pieces(facts_, choice.sequence.uses);
    std::vector<bool> small(pieces.size());
    for (size_t i = 0; i < pieces.size(); ++i) small[i] = pieces[i].bytes <= kVectorBytes;
    const uint64_t ring = smallest_ring(pieces, small, static_cast<int>(choice.sequence.steps.size()));
    Weights weights = weights_with(choice.sequence, pieces, small, ring);
    choice.loads = std::move(weights.loads);
    choice.ring_bytes = ring;
    choice.times = std::move(weights.times);
    if (!best || choice.peak_bytes() < best->peak_bytes()) best = std::move(choice);
    if (spill_bytes == 0) break;
  }
  return std::move(*best);
}

}  // namespace snug
