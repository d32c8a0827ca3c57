// Where the weights of one sequence live: which stay in memory, and how large a ring the others pass through.
// Called by search.cc for each combination that it considers.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/phase_sequence.h"
#include "plan/timeline.h"

namespace snug {

struct Residency {
  LoadPlan loads;
  uint64_t ring_bytes = 0;
  RunTimes times;
  bool memory_bound = false;  // more memory could make it faster
};

// Vectors stay: they are not worth a turn of the ring.
inline constexpr uint64_t kVectorBytes = 8 * 1024;

// A sequence with the weights that it reads, ready to be asked about for one limit after another.
struct WeighedSequence {
  PhaseSequence sequence;
  std::vector<WeightPiece> pieces;
  // Pieces in the order in which they should stay: first those whose kernels give the streamer the least time
  // to read others in, byte for byte. None of what runs once.
  std::vector<size_t> by_work;
  double kernel_seconds = 0;
};
// `again`: it runs more than once. What runs once reads everything once, so nothing needs to stay.
WeighedSequence weigh(const PhaseFacts& facts, PhaseSequence sequence, bool again);

class ResidencyChooser {
 public:
  // Everything must outlive the chooser. `keep`: weights are to stay where there is room for all, also when
  // they are used once, because the plan will be executed again.
  ResidencyChooser(int runs, const Rates& rates, bool keep) : runs_(runs), rates_(rates), keep_(keep) {}

  // The fastest with at most `bytes`; nothing when even the smallest ring does not fit. Weights up to
  // `small_bytes` always stay.
  std::optional<Residency> fastest(const WeighedSequence& weighed, uint64_t bytes,
                                   uint64_t small_bytes) const;
  // With the smallest ring, and only vectors staying.
  Residency smallest(const WeighedSequence& weighed) const;

 private:
  Residency with(const WeighedSequence& weighed, const std::vector<bool>& resident,
                 uint64_t ring_bytes) const;

  int runs_;
  const Rates& rates_;
  bool keep_;
};

}  // namespace snug
