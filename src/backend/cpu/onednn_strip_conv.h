// Convolution of large pictures strip by strip, in oneDNN's own layout. The first choice of
// make_onednn_conv2d (onednn_kernels.h) for the nodes that it takes.
//
// oneDNN's older convolutions are at home in blocks of channels (N C/b H W b). On our channels-last pictures
// they step from pixel to pixel by all the channels, and where these are a power of two and rows are long the
// pixels of a few rows fight for the same sets of the cache: 0.55 of the machine's rate on AVX2 for 256
// channels of 256x256, where blocks reach 1.04. So rows are copied into blocks, a strip of a few MiB at a
// time, convolved there, and copied back.
//
// Strips change no bit: each output element is summed in one order, whatever the strip.
#pragma once

#include <memory>

#include "backend/kernel.h"

namespace snug {

// Null where it would not be faster; onednn_kernels.cc then goes on to its other choices.
std::unique_ptr<Kernel> make_onednn_strip_conv2d(const NodeSpec& node);

}  // namespace snug
