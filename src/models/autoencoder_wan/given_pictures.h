// The encoder of a clip of which only the first frame, or the first and the last, are given, and all between
// and behind them are zeros: as image to video has it. The clip is made in the graph, frame by frame as the
// encoder comes to it, so that nobody holds it.
#pragma once

#include "models/autoencoder_wan/autoencoder_wan.h"

namespace snug {

enum class GivenFrames : uint8_t { kFirst, kFirstAndLast };

// picture_and_zeros [1,6,1,H,W]: the first frame's channels, each with one of zeros behind it; with the last
// frame, last [1,3,1,H,W] → moments as build_wan_encoder, bit for bit those of the whole clip. `clip.frames`
// is more than 1. Throws as build_wan_encoder.
void build_wan_picture_encoder(GraphBuilder& b, const AutoencoderWanConfig& config, const WeightScope& w,
                               const ClipSize& clip, GivenFrames given);

}  // namespace snug
