// Convolution of clips: a candidate of kernel_list.cc for conv3d.
#pragma once

#include <memory>
#include <string>

#include "backend/kernel.h"

namespace snug {

// Null, and why in `reason`, for element types that products do not take.
std::unique_ptr<Kernel> make_conv3d(const NodeSpec& node, std::string& reason);

}  // namespace snug
