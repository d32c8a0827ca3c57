// The stand-in for the CUDA backend in builds that have none: linked in its place, so that nothing that asks
// for a backend needs to know how the program was built.
#pragma once

#include <string_view>

#include "backend/backend.h"

namespace snug {

// Null: there is none. cuda_absence() says why, for messages.
const Backend* cuda_backend();
std::string_view cuda_absence();

}  // namespace snug
