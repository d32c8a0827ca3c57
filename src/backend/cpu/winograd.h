// 3×3 convolution of stride 1 and padding 1, in F32 arithmetic, with a quarter of the multiplications: a
// candidate of kernel_list.cc for conv2d, before the product over shifted rows (conv2d.h), which takes what
// this declines.
#pragma once

#include <memory>
#include <string>

#include "backend/kernel.h"

namespace snug {

// Null, and why in `reason`, where it does not apply or would not be faster.
std::unique_ptr<Kernel> make_winograd(const NodeSpec& node, std::string& reason);
// The same without asking what is faster: for tests.
std::unique_ptr<Kernel> make_winograd_anyway(const NodeSpec& node, std::string& reason);

}  // namespace snug
