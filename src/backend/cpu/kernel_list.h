// The ordered candidates of the CPU backend for each operation, fastest first, the reference kernel last.
#pragma once

#include <span>

#include "backend/backend.h"

namespace snug {

std::span<const KernelCandidate> cpu_candidates(Op op);

}  // namespace snug
