// What Winograd's convolution (winograd.cc) is of, whether it can compute a node, and whether it would be
// faster than the product over shifted rows.
#pragma once

#include <cstdint>
#include <string>

#include "backend/cpu/winograd_transform.h"
#include "graph/node_spec.h"

namespace snug {

// Most output channels of a task: more mean fewer transforms of the same inputs.
inline constexpr int64_t kWinogradBlockOutputs = 128;

// A convolution of pictures, or of clips. Then `window_frames` frames are under the window, from `front`
// before the output's on; those before `first_seen` are zeros. Sums go over frames as they go over channels.
struct WinogradExtents {
  int64_t images = 1, frames = 1, height = 0, width = 0;  // of input and output
  int64_t channels = 0, outputs = 0;
  int64_t window_frames = 1, front = 0, first_seen = 0;
  Activation activation = Activation::kNone;

  int64_t tile_rows() const { return (height + kWinogradOutputs - 1) / kWinogradOutputs; }  // of a frame
  int64_t tile_columns() const { return (width + kWinogradOutputs - 1) / kWinogradOutputs; }
  int64_t tiles() const { return images * frames * tile_rows() * tile_columns(); }
};

// Of a conv2d or conv3d to which it applies.
WinogradExtents winograd_extents(const NodeSpec& node);

// Each false, and why in `reason`.
bool winograd_applies(const NodeSpec& node, std::string& reason);
bool winograd_pays(const NodeSpec& node, std::string& reason);

}  // namespace snug
