// 3×3 convolution of stride 1 and padding 1, of pictures or of the frames of a clip, in F32 arithmetic, with
// a quarter of the multiplications: a candidate of kernel_list.cc for conv2d and conv3d, before the product
// over shifted rows (conv2d.h, conv3d.h), which takes what this declines.
//
// A clip's window may be over earlier frames too: those are further channels of the same sums.
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
