#include "plan/plan.h"

#include <array>

#include "base/check.h"

namespace snug {

std::string_view buffer_kind_name(BufferKind kind) {
  static constexpr std::array<std::string_view, kBufferKinds> kNames = {
      "activations", "weights", "scratch", "staging", "inputs", "outputs", "hoisted"};
  return kNames[static_cast<size_t>(kind)];
}

bool Plan::has_phase(std::string_view name) const {
  for (const Phase& phase : phases) {
    if (phase.name == name) return true;
  }
  return false;
}

const Phase& Plan::phase(std::string_view name) const {
  for (const Phase& candidate : phases) {
    if (candidate.name == name) return candidate;
  }
  SNUG_CHECK(false, "the plan has this phase");
}

}  // namespace snug
