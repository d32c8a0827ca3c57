// Attention that never stores the score matrix: the first candidate of kernel_list.cc for attention.
//
// Keys and values are taken in blocks that stay in a cache, scores become weights before they leave the
// registers, and the softmax is carried along as a sum (Milakov & Gimelshein 2018, "Online normalizer
// calculation for softmax"; Dao et al. 2022, "FlashAttention"). BF16 operands are multiplied as BF16 where
// the processor can, else as F32; all sums are F32.
//
// Threads: work is cut along batch, heads and blocks of queries, never along keys; block sizes follow from
// the node and the instruction set. So results do not depend on the thread count. Scratch is sized while
// planning for the thread_count() of that moment; run uses no more threads than that.
#pragma once

#include <memory>
#include <string>

#include "backend/kernel.h"

namespace snug {

// Null, and why in `reason`, for element types other than F32 and BF16, and for scores with a bias.
std::unique_ptr<Kernel> make_flash_attention(const NodeSpec& node, std::string& reason);

}  // namespace snug
