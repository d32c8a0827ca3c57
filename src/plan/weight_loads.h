// Which weights are loaded when, and where they lie: some stay from the first run on, the others pass through
// a ring. The ring is one buffer; pieces of weights are laid in it one behind the other in the order of their
// first use, from its start again when the end is reached and at the start of each run. So every piece has
// one place, and may be read into it as soon as what lay there before is done with: the streamer reads ahead
// exactly as far as the ring allows.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "plan/phase_facts.h"
#include "plan/plan.h"

namespace snug {

// Weights up to this size stay where there is room: they are not worth a turn of the ring. Where weights are
// read again for each band, these are not.
inline constexpr uint64_t kSmallWeightBytes = 64 * 1024;

// Rows of a weight, as some instructions of a run read them.
struct WeightPiece {
  ValueId value = kNoValue;
  DType dtype = DType::kF32;  // in memory
  Interval rows;
  uint64_t packing = 0;  // this and the next two: as Load
  int packing_kernel = -1, packing_input = 0;
  uint64_t bytes = 0, file_bytes = 0;
  int first = 0, last = 0;  // instructions of the run
  int turn = 0;             // as WeightUse
};

// What an instruction reads: which rows of which weight.
struct WeightUse {
  const NodeWeight* weight = nullptr;  // of the phase's facts
  Interval rows;
  int turn = 0;         // >0: read from the file again for each turn, as a piece of its own
  int instruction = 0;  // of the run
};

// The pieces that a run reads, by their first use. `uses` in the order of instructions.
std::vector<WeightPiece> gather_pieces(const PhaseFacts& facts, const std::vector<WeightUse>& uses);

struct LoadPlan {
  bool feasible = false;          // the ring holds whatever one instruction needs at once
  std::vector<Load> loads;        // target.buffer is not set; offset: in the ring when every_run
  std::vector<int> turns;         // by load: of its piece
  std::vector<int> loads_needed;  // by instruction
  uint64_t resident_bytes = 0, streamed_bytes = 0;
};

// `resident` by piece. `ring_bytes` may be 0 when all are.
LoadPlan plan_loads(const std::vector<WeightPiece>& pieces, const std::vector<bool>& resident,
                    uint64_t ring_bytes, int instructions);

// The smallest ring through which the pieces that are not resident can be streamed.
uint64_t smallest_ring(const std::vector<WeightPiece>& pieces, const std::vector<bool>& resident,
                       int instructions);

}  // namespace snug
