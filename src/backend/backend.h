// The contract between the planner and what computes. A backend answers which kernel runs a node, and that
// choice follows from the node and the machine alone, never from a budget or a thread count: so the same
// request gives the same bits under every plan.
//
// Each backend has one ordered list of kernel candidates per operation (kernel_list.cc in its folder) that
// ends in the reference kernel. A candidate that declines says why.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/kernel.h"

namespace snug {

struct KernelChoice {
  std::unique_ptr<Kernel> kernel;  // never null
  std::vector<Declined> declined;  // candidates before it, in order
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  // "reference", "cpu"
  // Views (op_info.is_view) are not asked for.
  virtual KernelChoice choose(const NodeSpec& node) const = 0;
  // Element types in which activations may be computed here, fastest first.
  virtual std::vector<DType> precisions() const = 0;
  // One line per fact for `snug system`: instruction sets found and used, libraries and their versions.
  virtual std::vector<std::pair<std::string, std::string>> describe() const = 0;
};

// Alignment of everything that a plan places in an arena.
inline constexpr size_t kArenaAlignment = 64;

// The backends linked into this program. Owned by the program; thread-safe.
const Backend& reference_backend();
const Backend& cpu_backend();

// One candidate of a kernel list: makes the kernel, or returns null and says why in `reason`.
struct KernelCandidate {
  std::string_view name;
  std::unique_ptr<Kernel> (*make)(const NodeSpec& node, std::string& reason);
};

// Walks the list in order; SNUG_CHECK that the last candidate accepts.
KernelChoice choose_from(std::span<const KernelCandidate> candidates, const NodeSpec& node);

}  // namespace snug
