// The reference kernel of each operation: the whole list of the reference backend and the end of every other
// backend's list.
#pragma once

#include "backend/backend.h"

namespace snug {

// Takes any node of the operation. Null `make` for views, which run no kernel.
const KernelCandidate& reference_candidate(Op op);

}  // namespace snug
