#include "plan/search.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/units.h"

namespace snug {
namespace {

// Sizes above which a node's weights are taken by output channels, in turn: none; pieces that a disk still
// reads at its full rate; and the least that is worth a read.
constexpr uint64_t kNoSlices = UINT64_MAX, kUsefulSliceBytes = 16 * kMiB, kSmallSliceBytes = 2 * kMiB;
constexpr uint64_t kLeastSliceBytes = 128 * kKiB;
struct Measures {
  uint64_t slice_bytes;
  bool rereads;
};
constexpr std::array<Measures, 6> kMeasures = {{{kNoSlices, false},
                                                {kUsefulSliceBytes, false},
                                                {kSmallSliceBytes, false},
                                                {kSmallSliceBytes, true},
                                                {kLeastSliceBytes, false},
                                                {kLeastSliceBytes, true}}};
// Smaller slices than this share of what values need at least would save nothing that matters, and a model of
// many gigabytes would come in a million pieces.
constexpr uint64_t kLeastSliceShare = 1024;
// Less is not worth reading again and again.
constexpr uint64_t kRereadSegmentBytes = 8 * kMiB;
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

int next_bands(const Segment& segment, int bands) {
  // What lives but for a band is little by then; and what begins with some for each frame keeps to whole
  // ones.
  if (bands >= 64 || segment.least_bands > 1) return 2 * bands;
  return bands < 4 ? bands + 1 : bands + bands / 2;
}

}  // namespace

PhaseSearch::PhaseSearch(const PhaseFacts& facts, SegmentLibrary& library, std::vector<bool> linked, int runs,
                         const Rates& rates, bool keep_weights)
    : facts_(facts),
      library_(library),
      linked_(std::move(linked)),
      runs_(runs),
      rates_(rates),
      residency_(runs, rates, keep_weights),
      segments_(find_segments(facts)) {
  for (const Segment& segment : segments_) {
    uint64_t bytes = 0;
    for (int i = segment.first; i <= segment.last; ++i) {
      bytes += facts.nodes[static_cast<size_t>(i)].weight_bytes;
    }
    weight_bytes_.push_back(bytes);
    kinds_.push_back(library.kind_of(facts, segment, may_reread() && worth_rereading(kinds_.size())));
  }
}

bool PhaseSearch::worth_rereading(size_t segment) const {
  return !segments_[segment].by_heads && weight_bytes_[segment] > kRereadSegmentBytes;
}

uint64_t PhaseSearch::least_slice_bytes() {
  if (least_slice_bytes_ == 0) {
    const std::vector<bool> nothing(facts_.values.size(), false);
    const std::vector<uint64_t> passing = passing_by(whole_plans({}), nothing);
    const uint64_t floor = fullest(choose_bands(0, {}, passing), passing).second;
    least_slice_bytes_ = std::clamp(floor / kLeastSliceShare, kLeastSliceBytes, kSmallSliceBytes);
  }
  return least_slice_bytes_;
}

// Ways that lead to the same are equal.
SegmentWay PhaseSearch::way_of(size_t segment, int bands, const WeightMeasures& measures) const {
  if (bands == 1)
    return {1, measures.slice_bytes < weight_bytes_[segment] ? measures.slice_bytes : UINT64_MAX};
  return {bands, UINT64_MAX, measures.rereads && worth_rereading(segment)};
}

std::shared_ptr<const SegmentPlan> PhaseSearch::plan_of(size_t segment, const SegmentWay& way) {
  auto& known = known_plans_[{segment, way}];
  if (known == nullptr) known = library_.plan_alike(kinds_[segment], way, facts_, segments_[segment]);
  return known;
}

uint64_t PhaseSearch::own_peak(size_t segment, const SegmentWay& way) {
  return library_.own_peak(kinds_[segment], way);
}

SegmentPlans PhaseSearch::whole_plans(const WeightMeasures& measures) {
  SegmentPlans plans;
  for (size_t s = 0; s < segments_.size(); ++s) {
    plans.push_back(plan_of(s, way_of(s, segments_[s].least_bands, measures)));
  }
  return plans;
}

SegmentPlans PhaseSearch::choose_bands(uint64_t bytes, const WeightMeasures& measures,
                                       const std::vector<uint64_t>& passing) {
  SegmentPlans plans;
  for (size_t s = 0; s < segments_.size(); ++s) {
    int best = segments_[s].least_bands, vain = 0;
    // What weights do makes no difference to the values of what runs in bands.
    const auto peak_in = [&](int bands) { return own_peak(s, way_of(s, bands, {measures.slice_bytes})); };
    uint64_t best_bytes = peak_in(best), last_bytes = UINT64_MAX;
    for (int bands = next_bands(segments_[s], best);
         bands <= segments_[s].most_bands && passing[s] + best_bytes > bytes;
         bands = next_bands(segments_[s], bands)) {
      const uint64_t peak = peak_in(bands);
      if (saves(peak, best_bytes)) {
        best = bands;
        best_bytes = peak;
        vain = 0;
      } else if (!saves(peak, last_bytes) && ++vain == kVainTries) {
        break;
      }
      last_bytes = peak;
    }
    plans.push_back(plan_of(s, way_of(s, best, measures)));
  }
  return plans;
}

// The segment that needs most, and how much.
std::pair<int, uint64_t> PhaseSearch::fullest(const SegmentPlans& plans,
                                              const std::vector<uint64_t>& passing) {
  std::pair<int, uint64_t> worst = {0, 0};
  for (size_t s = 0; s < segments_.size(); ++s) {
    const uint64_t peak = passing[s] + own_peak(s, plans[s]->way);
    if (peak > worst.second) worst = {static_cast<int>(s), peak};
  }
  return worst;
}

std::vector<uint64_t> PhaseSearch::passing_by(const SegmentPlans& plans,
                                              const std::vector<bool>& spilled) const {
  return passing_bytes(facts_, segments_, plans, home_bytes_of(facts_, plans), spilled, linked_);
}

uint64_t PhaseSearch::least_peak(const SegmentPlans& plans, const std::vector<bool>& spilled) {
  if (least_passing_.empty() || least_passing_spilled_ != spilled) {
    least_passing_ = passing_bytes(facts_, segments_, plans, home_bytes_of(facts_, {}), spilled, linked_);
    least_passing_spilled_ = spilled;
  }
  uint64_t weights = 0;
  for (const auto& plan : plans) weights = std::max(weights, plan->course->live_weight_bytes);
  return fullest(plans, least_passing_).second + facts_.packing_bytes + weights;
}

double PhaseSearch::kernel_seconds(const SegmentPlans& plans) {
  double seconds = 0;
  for (const auto& plan : plans) seconds += plan->course->seconds;
  return seconds;
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
std::vector<bool> PhaseSearch::choose_spilled(uint64_t bytes, const WeightMeasures& measures,
                                              uint64_t most_spill_bytes) {
  std::vector<bool> spilled(facts_.values.size(), false);
  for (uint64_t left = most_spill_bytes;;) {
    const std::vector<uint64_t> passing = passing_by(whole_plans(measures), spilled);
    const auto [worst, worst_bytes] = fullest(choose_bands(bytes, measures, passing), passing);
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
  choice.weighed = std::make_shared<WeighedSequence>(
      weigh(facts_, make_sequence(facts_, segments_, plans, spilled, linked_, rates_), runs_ > 1));
  choice.plans = std::move(plans);
  choice.spilled = std::move(spilled);
  return choice;
}

PhaseChoice PhaseSearch::choice_of(SegmentPlans plans) {
  auto& known = known_sequences_[plans];
  PhaseChoice choice;
  if (known == nullptr) {
    choice = choice_of(std::move(plans), std::vector<bool>(facts_.values.size(), false));
    known = choice.weighed;
    return choice;
  }
  choice.runs = runs_;
  choice.weighed = known;
  choice.plans = std::move(plans);
  choice.spilled.assign(facts_.values.size(), false);
  return choice;
}

// Everything whole, and no kernel ever waiting for more than the disk.
double PhaseSearch::ideal_seconds() {
  if (ideal_seconds_ > 0) return ideal_seconds_;
  const PhaseChoice whole = choice_of(whole_plans({}));
  const double kernels = whole.weighed->kernel_seconds;
  double bytes = 0;
  for (const WeightPiece& piece : whole.weighed->pieces) bytes += static_cast<double>(piece.file_bytes);
  ideal_seconds_ = std::max(kernels, bytes / rates_.read_bytes) + (runs_ - 1) * kernels;
  return ideal_seconds_;
}

// Takes a choice's weights into account, and keeps it when it is the fastest so far. What it found out stays
// for the next question: whether it fitted, and whether more memory could help it.
void PhaseSearch::consider(PhaseChoice choice, uint64_t limit_bytes, const WeightMeasures& measures,
                           Found& found) const {
  found.memory_bound = true;
  const uint64_t values_bytes = choice.sequence().values_peak_bytes;
  if (values_bytes > limit_bytes) return;
  if (found.best && choice.weighed->kernel_seconds * runs_ >= found.best->seconds()) return;
  // With the smallest slices, memory is so short that only vectors stay.
  const uint64_t small_bytes = measures.least && !measures.rereads ? kVectorBytes : kSmallWeightBytes;
  // Other slices make no difference to what runs in bands.
  if (!found.considered.emplace(choice.weighed.get(), small_bytes).second) return;
  auto weights = residency_.fastest(*choice.weighed, limit_bytes - values_bytes, small_bytes);
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
  for (const auto [slice_bytes, rereads] : kMeasures) {
    const bool least = slice_bytes == kLeastSliceBytes;
    // The smallest slices are for when nothing else fits.
    if (found.best && least) break;
    if (rereads && !may_reread()) continue;
    const WeightMeasures measures{least ? least_slice_bytes() : slice_bytes, rereads, least};
    const SegmentPlans whole = whole_plans(measures);
    const std::vector<uint64_t> passing = passing_by(whole, nothing);
    PhaseChoice natural = choice_of(whole);
    const auto most = static_cast<double>(natural.sequence().values_peak_bytes);
    consider(std::move(natural), limit.bytes, measures, found);
    // What runs whole and is not short of memory gets no faster by needing less.
    if (!found.memory_bound || good_enough()) return std::move(found.best);
    for (const double share : kShares) {
      const auto bytes = std::min<uint64_t>(static_cast<uint64_t>(most * share), limit.bytes);
      SegmentPlans plans = choose_bands(bytes, measures, passing);
      if (hopeless(plans, limit.bytes, found)) continue;
      consider(choice_of(std::move(plans)), limit.bytes, measures, found);
      if (good_enough()) return std::move(found.best);
    }
  }
  if (!found.best && limit.spill_bytes > 0) return fastest_spilling(limit);
  return std::move(found.best);
}

// Before a sequence is made of them: the plans cannot fit, or their kernels alone are slower than the best.
bool PhaseSearch::hopeless(const SegmentPlans& plans, uint64_t limit_bytes, const Found& found) {
  if (least_peak(plans, std::vector<bool>(facts_.values.size(), false)) > limit_bytes) return true;
  return found.best && kernel_seconds(plans) * runs_ >= found.best->seconds();
}

// With as little spilled as fits.
std::optional<PhaseChoice> PhaseSearch::fastest_spilling(const PhaseLimit& limit) {
  Found found;
  const WeightMeasures least{least_slice_bytes(), may_reread(), true};
  for (const double share : kShares) {
    const auto bytes = static_cast<uint64_t>(static_cast<double>(limit.bytes) * share);
    const std::vector<bool> spilled = choose_spilled(bytes, least, limit.spill_bytes);
    found.considered.clear();  // sequences with spilling are not kept
    const std::vector<uint64_t> passing = passing_by(whole_plans(least), spilled);
    consider(choice_of(choose_bands(bytes, least, passing), spilled), limit.bytes, least, found);
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
  if (choice_of(whole_plans({})).sequence().values_peak_bytes <= limit.bytes) {
    return false;  // whether there is room for a ring, the search will tell
  }
  return smallest(limit.spill_bytes).peak_bytes() > limit.bytes;
}

PhaseChoice PhaseSearch::find_smallest(uint64_t spill_bytes) {
  std::optional<PhaseChoice> best;
  WeightMeasures least{least_slice_bytes(), false, true};
  for (const uint64_t spill : {uint64_t{0}, spill_bytes}) {
    std::vector<bool> spilled(facts_.values.size(), false);
    if (spill > 0) spilled = choose_spilled(0, least, spill);
    const std::vector<uint64_t> passing = passing_by(whole_plans(least), spilled);
    // Fewest bands that keep every segment under the one that cannot be made smaller; or fewer, or none: all
    // weights of what runs in bands are in the ring at once, unless they are read again for each. What needs
    // least as a rule comes first, so that most others need not be looked into.
    const uint64_t floor = fullest(choose_bands(0, least, passing), passing).second;
    std::set<SegmentPlans> tried;
    for (const bool rereads : {true, false}) {
      if (rereads && !may_reread()) continue;
      least.rereads = rereads;
      for (const uint64_t bytes : {floor, 2 * floor, UINT64_MAX}) {
        if (rereads && bytes == UINT64_MAX) continue;  // few bands, few weights at once
        SegmentPlans plans = choose_bands(bytes, least, passing);
        if (!tried.insert(plans).second) continue;
        if (best && least_peak(plans, spilled) >= best->peak_bytes()) continue;
        PhaseChoice choice = choice_of(std::move(plans), spilled);
        choice.take(residency_.smallest(*choice.weighed));
        if (!best || choice.peak_bytes() < best->peak_bytes()) best = std::move(choice);
      }
    }
    if (spill_bytes == 0) break;
  }
  return std::move(*best);
}

}  // namespace snug
