// Matrix product with a weight: the first candidate of kernel_list.cc for linear. Element types
// as in gemm.h.
#pragma once

#include <memory>
#include <string>

#include "backend/kernel.h"

namespace snug {

// Null, and why in `reason`, for element types that it does not take.
std::unique_ptr<Kernel> make_linear(const NodeSpec& node, std::string& reason);

}  // namespace snug
