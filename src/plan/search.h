// Finds how to run one way of a phase inside a limit: the fastest combination, by the cost model, of bands,
// slices, streamed weights and spilled values.
//
// The measures are not modes. For a falling series of sizes that values may take, every segment gets the
// fewest bands that bring it under that size; what memory is then left goes to weights: those with the least
// work per byte stay first, the rest is streamed through the largest ring that pays. Each combination is
// simulated (timeline.h); spilling is tried when nothing else fits.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "plan/phase_sequence.h"
#include "plan/residency.h"
#include "plan/segment_library.h"

namespace snug {

// The decisions for one way of a phase, with what they lead to.
struct PhaseChoice {
  SegmentPlans plans;
  std::vector<bool> spilled;  // by value
  std::shared_ptr<const WeighedSequence> weighed;
  std::shared_ptr<const LoadPlan> loads;
  uint64_t ring_bytes = 0;
  RunTimes times;
  int runs = 1;

  void take(Residency residency) {
    loads = std::make_shared<LoadPlan>(std::move(residency.loads));
    ring_bytes = residency.ring_bytes;
    times = std::move(residency.times);
  }
  const PhaseSequence& sequence() const { return weighed->sequence; }
  // Of the arena, without linked inputs.
  uint64_t peak_bytes() const { return sequence().values_peak_bytes + loads->resident_bytes + ring_bytes; }
  double seconds() const { return times.first_run_seconds + (runs - 1) * times.later_run_seconds; }
};

struct PhaseLimit {
  uint64_t bytes = UINT64_MAX;
  uint64_t spill_bytes = 0;  // of the scratch file
};

// What is done so that weights take less memory while they are used: those of a node that are larger than
// this come slice by slice, and those of a stretch in bands are read again for each band.
struct WeightMeasures {
  uint64_t slice_bytes = UINT64_MAX;
  bool rereads = false;
  bool least = false;  // only vectors are worth to stay
};

class PhaseSearch {
 public:
  // `linked[value]`: an input that an earlier phase made. Everything must outlive the search; the library is
  // shared with searches of other phases.
  PhaseSearch(const PhaseFacts& facts, SegmentLibrary& library, std::vector<bool> linked, int runs,
              const Rates& rates, bool keep_weights = false);

  // The fastest choice with peak_bytes() <= limit.bytes, or nothing.
  std::optional<PhaseChoice> fastest(const PhaseLimit& limit);
  // The choice with the smallest peak.
  const PhaseChoice& smallest(uint64_t spill_bytes);
  // What no choice can beat: everything whole, and no kernel waiting for more than the disk.
  double ideal_seconds();
  // Quickly: nothing that fastest() could find would fit.
  bool cannot_fit(const PhaseLimit& limit);

  const std::vector<Segment>& segments() const { return segments_; }

 private:
  // The best so far, and whether the last that was considered could use more memory.
  struct Found {
    std::optional<PhaseChoice> best;
    bool memory_bound = true;
    std::set<std::pair<const WeighedSequence*, uint64_t>>
        considered;  // with the size up to which weights stay
  };

  PhaseChoice find_smallest(uint64_t spill_bytes);
  uint64_t least_slice_bytes();
  // For what runs once: elsewhere, what is read again is read in each run, and the ring is a small part of
  // what the phase needs.
  bool may_reread() const { return runs_ == 1; }
  bool worth_rereading(size_t segment) const;
  SegmentWay way_of(size_t segment, int bands, const WeightMeasures& measures) const;
  std::shared_ptr<const SegmentPlan> plan_of(size_t segment, const SegmentWay& way);
  uint64_t own_peak(size_t segment, const SegmentWay& way);
  // Fewest bands for each segment so that it stays under `bytes`, or as small as it gets.
  SegmentPlans choose_bands(uint64_t bytes, const WeightMeasures& measures,
                            const std::vector<uint64_t>& passing);
  std::vector<uint64_t> passing_by(const SegmentPlans& plans, const std::vector<bool>& spilled) const;
  // In as few bands as there may be: whole, but for streamed outputs.
  SegmentPlans whole_plans(const WeightMeasures& measures);
  std::vector<bool> choose_spilled(uint64_t bytes, const WeightMeasures& measures, uint64_t most_spill_bytes);
  std::pair<int, uint64_t> fullest(const SegmentPlans& plans, const std::vector<uint64_t>& passing);
  // Without making a sequence: what it will need of memory at least, and what its kernels will take.
  uint64_t least_peak(const SegmentPlans& plans, const std::vector<bool>& spilled);
  static double kernel_seconds(const SegmentPlans& plans);
  ValueId passing_value(int segment, const std::vector<bool>& spilled, uint64_t most_bytes) const;
  bool hopeless(const SegmentPlans& plans, uint64_t limit_bytes, const Found& found);
  void consider(PhaseChoice choice, uint64_t limit_bytes, const WeightMeasures& measures, Found& found) const;
  std::optional<PhaseChoice> fastest_spilling(const PhaseLimit& limit);
  PhaseChoice choice_of(SegmentPlans plans, std::vector<bool> spilled);
  PhaseChoice choice_of(SegmentPlans plans);  // nothing is spilled

  const PhaseFacts& facts_;
  SegmentLibrary& library_;
  std::vector<bool> linked_;
  int runs_;
  const Rates& rates_;
  ResidencyChooser residency_;
  std::vector<Segment> segments_;
  double ideal_seconds_ = 0;                  // once it is known
  uint64_t least_slice_bytes_ = 0;            // likewise
  std::map<uint64_t, PhaseChoice> smallest_;  // by what may be spilled
  std::vector<size_t> kinds_;                 // by segment: the library's
  std::vector<uint64_t> weight_bytes_;        // by segment
  // What passes by each segment when every value lies in a buffer of its own size, and for which spilled
  // ones.
  std::vector<uint64_t> least_passing_;
  std::vector<bool> least_passing_spilled_;
  std::map<std::pair<size_t, SegmentWay>, std::shared_ptr<const SegmentPlan>> known_plans_;
  std::map<SegmentPlans, std::shared_ptr<const WeighedSequence>> known_sequences_;  // without spilling
};

}  // namespace snug
