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
#include <vector>

#include "plan/phase_sequence.h"
#include "plan/residency.h"

namespace snug {

// The decisions for one way of a phase, with what they lead to.
struct PhaseChoice {
  SegmentPlans plans;
  std::vector<bool> spilled;  // by value
  PhaseSequence sequence;
  LoadPlan loads;
  uint64_t ring_bytes = 0;
  RunTimes times;
  int runs = 1;

  void take(Residency residency) {
    loads = std::move(residency.loads);
    ring_bytes = residency.ring_bytes;
    times = std::move(residency.times);
  }
  // Of the arena, without linked inputs.
  uint64_t peak_bytes() const { return sequence.values_peak_bytes + loads.resident_bytes + ring_bytes; }
  double seconds() const { return times.first_run_seconds + (runs - 1) * times.later_run_seconds; }
};

struct PhaseLimit {
  uint64_t bytes = UINT64_MAX;
  uint64_t spill_bytes = 0;  // of the scratch file
};

class PhaseSearch {
 public:
  // `linked[value]`: an input that an earlier phase made. Everything must outlive the search.
  PhaseSearch(const PhaseFacts& facts, std::vector<bool> linked, int runs, const Rates& rates,
              bool keep_weights = false);

  // The fastest choice with peak_bytes() <= limit.bytes, or nothing.
  std::optional<PhaseChoice> fastest(const PhaseLimit& limit);
  // The choice with the smallest peak.
  const PhaseChoice& smallest(uint64_t spill_bytes);
  // What no choice can beat: everything whole, and no kernel waiting for more than the disk.
  double ideal_seconds();
  // Quickly: nothing that fastest() could find would fit.
  bool cannot_fit(const PhaseLimit& limit);

 private:
  // The best so far, and whether the last that was considered could use more memory.
  struct Found {
    std::optional<PhaseChoice> best;
    bool memory_bound = true;
  };

  PhaseChoice find_smallest(uint64_t spill_bytes);
  std::shared_ptr<const SegmentPlan> plan_of(size_t segment, int bands, uint64_t slice_bytes);
  uint64_t own_peak(size_t segment, int bands, uint64_t slice_bytes);
  // Fewest bands for each segment so that it stays under `bytes`, or as small as it gets.
  SegmentPlans choose_bands(uint64_t bytes, uint64_t slice_bytes, const std::vector<uint64_t>& passing);
  // In as few bands as there may be: whole, but for streamed outputs.
  SegmentPlans whole_plans(uint64_t slice_bytes);
  std::vector<bool> choose_spilled(uint64_t bytes, uint64_t slice_bytes, uint64_t most_spill_bytes);
  std::pair<int, uint64_t> fullest(const SegmentPlans& plans, const std::vector<uint64_t>& passing,
                                   uint64_t slice_bytes);
  ValueId passing_value(int segment, const std::vector<bool>& spilled, uint64_t most_bytes) const;
  void consider(PhaseChoice choice, uint64_t limit_bytes, uint64_t slice_bytes, Found& found) const;
  std::optional<PhaseChoice> fastest_spilling(const PhaseLimit& limit);
  PhaseChoice choice_of(SegmentPlans plans, std::vector<bool> spilled);

  const PhaseFacts& facts_;
  std::vector<bool> linked_;
  int runs_;
  const Rates& rates_;
  ResidencyChooser residency_;
  std::vector<Segment> segments_;
  double ideal_seconds_ = 0;                  // once it is known
  std::vector<uint64_t> own_bytes_;           // of values
  std::map<uint64_t, PhaseChoice> smallest_;  // by what may be spilled
  std::vector<int> likeness_;                 // by segment: equal for those that are alike
  // By segment, or by likeness, and bands and slice size.
  std::map<std::tuple<size_t, int, uint64_t>, std::shared_ptr<const SegmentPlan>> known_plans_;
  std::map<std::tuple<int, int, uint64_t>, uint64_t> known_peaks_;
};

}  // namespace snug
