// A plan: everything that a run will do and every byte that it will hold, as data. Made by planner.h before
// anything runs, executed by runtime/executor.h, printed by print_plan.h.
//
// Time is counted in instructions, numbered through all phases; a phase that repeats appears once, and what
// it needs across its calls lives for the whole phase. A buffer has one place in the arena from its first to
// its last instruction; proof.h shows that no two buffers that live at the same time overlap.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "graph/node_spec.h"

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

// Where an operand lies: `offset` bytes into a buffer, plus `call_stride` for each call of a repeated phase.
struct Location {
  int buffer = -1;  // -1: absent
  uint64_t offset = 0;
  uint64_t call_stride = 0;
  bool operator==(const Location&) const = default;
};

// Packing starts from the weight's elements as dense F32; what is not packed is read, converted or not, into
// its place.
inline uint64_t staging_bytes(const Value& weight) {
  return static_cast<uint64_t>(weight.shape.elements()) * sizeof(float);
}

// Reads a weight from its file, converts or packs it, and leaves it at `target`.
struct LoadWeight {
  ValueId value = kNoValue;
  WeightForm form;
  int kernel = -1;  // the kernel that packs it, and as which of its inputs
  int input = 0;
  Location target;
  Location staging;  // the weight as dense F32 before packing; absent when nothing is packed
};

struct RunKernel {
  NodeId node = kNoNode;
  int kernel = -1;
  std::vector<Location> inputs;
  Location output;
  Location scratch;
  uint64_t scratch_bytes = 0;
};

using Instruction = std::variant<LoadWeight, RunKernel>;

// A value that the host writes before a call or reads after it.
struct Port {
  std::string name;
  ValueId value = kNoValue;
  Location location;
};

struct Phase {
  std::string name;   // "encode", "timesteps", "prepare", "step", "decode", ...
  std::string stage;  // the pipeline stage whose time it is: "encode", "denoise", "decode"
  std::string part;   // whose weights it reads: "text_encoder", "unet", "vae"
  Graph graph;
  int calls = 1;
  int first_instruction = 0;  // number of instructions[0] in the plan's time
  std::vector<Instruction> instructions;
  std::vector<std::string> kernel_names;        // by node; empty for views
  std::vector<std::vector<Declined>> declined;  // by node
  std::vector<Port> inputs, outputs;
  double flops_per_call = 0;
};

struct Plan {
  std::vector<Phase> phases;
  std::vector<Buffer> buffers;
  uint64_t arena_bytes = 0;
  // Outside the arena, by what it is for.
  uint64_t process_bytes = 0;  // the program and its libraries as measured when the plan was made
  uint64_t code_bytes = 0;     // code that kernels compile, predicted by their backend
  uint64_t host_bytes = 0;     // pictures, latents and encoded files held by the pipeline, computed
  uint64_t peak_bytes() const { return arena_bytes + process_bytes + code_bytes + host_bytes; }

  const Phase& phase(std::string_view name) const;  // SNUG_CHECK that there is one
  bool has_phase(std::string_view name) const;
};

}  // namespace snug
