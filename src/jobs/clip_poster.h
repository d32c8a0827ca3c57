// The picture that stands for a clip where clips are listed: its first frame, made small. Called by JobRun
// with the frame as it was decoded, before the video's encoder has had it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "media/picture.h"
#include "media/picture_format.h"

namespace snug {

inline constexpr PictureFormat kPosterFormat = PictureFormat::kWebp;
inline constexpr int64_t kMostPosterEdgePx = 640;

// A file of kPosterFormat; no edge is longer than kMostPosterEdgePx. The same frame gives the same bytes.
// Throws out_of_memory.
std::vector<std::byte> clip_poster(const Picture& frame);

}  // namespace snug
