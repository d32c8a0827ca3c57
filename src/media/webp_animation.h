// Animated WebP: a container of pictures, each with the milliseconds that it is shown (RFC 9649, 2.7). Called
// by video_writer and video_reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "media/decode_picture.h"
#include "media/video_reader.h"

namespace snug {

// Frames of an animation made by anyone, as they are seen: placed, blended, on black. `bytes` outlives the
// reader. Throws truncated, bad_image, too_large, out_of_memory.
std::unique_ptr<VideoReader> open_webp_animation(std::span<const std::byte> bytes, const VideoLimits& limits);

}  // namespace snug
