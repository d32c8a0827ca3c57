// Convolution and matrix product by oneDNN: the first candidates of kernel_list.cc for conv2d and linear.
//
// Activations are read and written as the graph stores them (channels-last, row-major), large pictures by way
// of strips in scratch (onednn_strip_conv.h); weights are packed once into the layout that oneDNN asks for.
// Bias, residual and activation are fused into the primitive where oneDNN does that well, else applied in
// place after it, by the same kernel.
//
// Element types: input, output and residual all F32 or all BF16, bias F32; weights are packed in the type of
// the input. BF16 is declined on machines without instructions for it.
//
// Threads: results do not depend on their number, and neither does the choice of implementation, which
// follows from the node and the instruction set (weight_order and attempt_matmul in the source say how). BF16
// on AMX is the exception: oneDNN has block products only there, and nothing in its interface says how they
// cut sums.
//
// Errors: whatever oneDNN refuses while choosing is a reason to decline; later failures are thrown as Error
// (out_of_memory or internal).
#pragma once

#include <memory>
#include <string>

#include "backend/kernel.h"

namespace snug {

// Null, and why in `reason`, when oneDNN has no good implementation for the node.
std::unique_ptr<Kernel> make_onednn_conv2d(const NodeSpec& node, std::string& reason);
std::unique_ptr<Kernel> make_onednn_linear(const NodeSpec& node, std::string& reason);

}  // namespace snug
