// A plan: everything that a run will do and every byte that it will hold, as data. Made by planner.h before
// anything runs, executed by runtime/executor.h, printed by print_plan.h, judged by proof.h.
//
// A phase runs calls × passes times: a call is a step of the sampler (or a picture to decode), a pass is a
// part of the batch. Each run does the phase's instructions in order, on the executor's thread. Weights come
// by a second list, the loads, done in order by the streamer's thread while instructions run: a load waits
// until the bytes that it overwrites are done with, an instruction until the loads that it needs are there.
//
// Time is counted in instructions, numbered through all phases; a phase that repeats appears once, and what
// it needs across its runs lives for the whole phase. A buffer has one place in the arena from its first to
// its last instruction.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "graph/node_spec.h"
#include "graph/region.h"

namespace snug {

enum class BufferKind : uint8_t { kActivation, kWeight, kScratch, kStaging, kInput, kOutput, kHoisted };
inline constexpr int kBufferKinds = 7;
// Of every buffer's offset: a cache line, and the widest vectors.
inline constexpr uint64_t kBufferAlignment = 64;
std::string_view buffer_kind_name(BufferKind kind);

struct Buffer {
  std::string name;
  BufferKind kind = BufferKind::kActivation;
  uint64_t bytes = 0;
  int first_use = 0, last_use = 0;  // instruction numbers, both included
  uint64_t offset = 0;              // in the arena
};

// Where an operand lies: `offset` bytes into a buffer, plus a stride for each call and pass.
struct Location {
  int buffer = -1;  // -1: absent
  uint64_t offset = 0;
  uint64_t call_stride = 0, pass_stride = 0;
  bool operator==(const Location&) const = default;
};

// An operand of one run of a kernel: which part of the value is in memory there (backend/kernel.h).
struct Place {
  Location location;
  Region held;
};

// Reads rows of a weight from its file, converted to `dtype`, to `target`.
struct Load {
  ValueId value = kNoValue;
  Interval rows;  // of dimension 0
  DType dtype = DType::kF32;
  uint64_t bytes = 0;  // in memory, at target
  Location target;
  // How the rows are rearranged in place once they are read (Kernel::weight_packing; 0: not at all), and the
  // kernel that does it, as which of its inputs.
  uint64_t packing = 0;
  int packing_kernel = -1, packing_input = 0;
  // Streamed: done in every run. Otherwise in the phase's first run only, and the weight stays.
  bool every_run = false;
  // The bytes at target are free once this many of the phase's instructions are done; counted in the run
  // before when `after_previous_run` (then a first run need not wait).
  int after = 0;
  bool after_previous_run = false;
};

struct RunKernel {
  NodeId node = kNoNode;
  int kernel = -1;
  Region part;  // of the node's output
  std::vector<Place> inputs;
  Place output;
  int overwrites = -1;  // the input in whose very place the output lies, as its kernel allows; -1: none
  Location scratch;
  uint64_t scratch_bytes = 0;
  int loads_needed = 0;  // so many of the phase's loads must be done
  double predicted_seconds = 0;
};

// Moves the rows that a band shares with the next to the front of its buffer; the two may overlap.
struct Move {
  Location from, to;
  uint64_t bytes = 0;
};

// Between the arena and the scratch file.
struct Spill {
  Location from;
  uint64_t file_offset = 0, bytes = 0;
};
struct Restore {
  Location to;
  uint64_t file_offset = 0, bytes = 0;
};

using Instruction = std::variant<RunKernel, Move, Spill, Restore>;

// A value that the host writes before a run or reads after it.
struct Port {
  std::string name;
  ValueId value = kNoValue;
  Location location;
};

// An input of a phase that an earlier phase makes.
struct PhaseLink {
  ValueId input = kNoValue;   // in this phase's graph
  int source_phase = -1;      // index of the earlier phase
  size_t source_output = 0;   // into its graph's outputs()
  bool row_per_call = false;  // call i reads row i of it; else pass i reads what pass i of the source made
};

// How a phase gets along with its budget, beside running everything whole with everything resident.
struct PhaseMeasures {
  int passes = 1;
  uint64_t resident_bytes = 0, streamed_bytes = 0;  // of weights; the latter read again in each run
  uint64_t ring_bytes = 0;                          // through which they are streamed
  int banded_nodes = 0, most_bands = 1;
  int sliced_nodes = 0;        // computed by output channels, as their weights come
  uint64_t spilled_bytes = 0;  // written to the scratch file in each run
};

struct Phase {
  std::string name;   // "encode", "timesteps", "prepare", "step", "decode", ...
  std::string stage;  // the pipeline stage whose time it is: "encode", "denoise", "decode"
  std::string part;   // whose weights it reads: "text_encoder", "unet", "vae"
  Graph graph;        // of one pass
  int calls = 1, passes = 1;
  int first_instruction = 0;  // number of instructions[0] in the plan's time
  std::vector<Instruction> instructions;
  std::vector<Load> loads;
  Location packing_room;  // the streamer's, to rearrange weights in
  uint64_t packing_room_bytes = 0;
  std::vector<std::string> kernel_names;        // by node; empty for views
  std::vector<std::vector<Declined>> declined;  // by node
  std::vector<PhaseLink> links;                 // inputs that are not the host's
  std::vector<Port> inputs, outputs;
  double flops_per_run = 0, bytes_per_run = 0;  // nominal: by the ops' definitions, each operand once
  PhaseMeasures measures;
  // Predicted by plan/timeline.h, from measured rates or built-in ones (Plan::rates_source).
  double first_run_seconds = 0, later_run_seconds = 0;

  int runs() const { return calls * passes; }
  double predicted_seconds() const {
    return runs() == 0 ? 0 : first_run_seconds + (runs() - 1) * later_run_seconds;
  }
};

struct Plan {
  std::vector<Phase> phases;
  std::vector<Buffer> buffers;
  uint64_t arena_bytes = 0;
  uint64_t scratch_file_bytes = 0;
  // Outside the arena, by what it is for.
  uint64_t process_bytes = 0;  // the program and its libraries as measured when the plan was made
  uint64_t host_bytes = 0;     // pictures, latents and encoded files held by the pipeline, computed
  // Of this plan itself: its instructions, with their operands, and its loads, computed. A clip's decoder has
  // 100 000 of each. The process's, once the plan is made.
  uint64_t plan_bytes = 0;
  uint64_t peak_bytes() const { return arena_bytes + process_bytes + host_bytes; }

  const Phase& phase(std::string_view name) const;  // SNUG_CHECK that there is one
  bool has_phase(std::string_view name) const;
};

}  // namespace snug
