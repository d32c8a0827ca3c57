// What a run of a phase carries from the instructions before a point to those behind it: what has to be kept
// so that another executor, in another process, can go on at that point to the same bits. Called by the
// executor (runtime/executor.h) for phases that run once and by who keeps its state
// (pipeline/decode_clip.cc).
//
// Weights are not carried: they are read again. Nor is where buffers lie: so the state fits any plan that
// does the same instructions, whatever else its budget has changed (state_fingerprint).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace snug {

// Bytes of a buffer of the plan, or of the scratch file.
struct CarriedPiece {
  static constexpr int kScratchFile = -1;
  int buffer = kScratchFile;
  uint64_t offset = 0, bytes = 0;
};

// The bytes that instructions from `next` on (an index into phase.instructions) read before they write them;
// the host's inputs among them, and outputs that the host reads at the end. Of call 0, pass 0. In an order
// that is the same for all plans with one fingerprint.
std::vector<CarriedPiece> carried_state(const Phase& phase, size_t next);

// Equal for plans whose phases do the same instructions, by the same kernels, to the same parts, with their
// operands at the same places of their buffers: then each one's state is the other's.
std::string state_fingerprint(const Phase& phase);

// By load: whether an instruction from `next` on reads what it brings; what stays for later runs always.
std::vector<bool> loads_read_from(const Phase& phase, size_t next);

}  // namespace snug
