// Convolution: the first candidate of kernel_list.cc for conv2d. Any window, stride and padding; element
// types as in gemm.h.
#pragma once

#include <memory>
#include <string>

#include "backend/kernel.h"

namespace snug {

// Null, and why in `reason`, for element types that it does not take.
std::unique_ptr<Kernel> make_conv2d(const NodeSpec& node, std::string& reason);

}  // namespace snug
