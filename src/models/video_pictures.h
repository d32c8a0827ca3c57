// The encoder's graph for a clip that is given by one or two pictures. Called by pipeline/clip_phases.cc.
#pragma once

#include "models/autoencoder_wan/given_pictures.h"
#include "models/video_model.h"

namespace snug {

// Inputs and output as build_wan_picture_encoder says; of a clip of one frame, as build_wan_encoder.
Graph video_picture_encoder_graph(const VideoModel& model, const ClipSize& clip, GivenFrames given);

}  // namespace snug
