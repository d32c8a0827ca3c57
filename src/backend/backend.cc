#include "backend/backend.h"

#include "base/check.h"

namespace snug {

KernelChoice choose_from(std::span<const KernelCandidate> candidates, const NodeSpec& node) {
  KernelChoice choice;
  for (const KernelCandidate& candidate : candidates) {
    std::string reason;
    choice.kernel = candidate.make(node, reason);
    if (choice.kernel != nullptr) return choice;
    choice.declined.push_back({std::string(candidate.name), std::move(reason)});
  }
  SNUG_CHECK(false, "every list ends in a kernel that takes any node");
}

}  // namespace snug
