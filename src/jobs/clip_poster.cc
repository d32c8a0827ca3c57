#include "jobs/clip_poster.h"

#include <algorithm>
#include <cmath>

#include "media/encode_picture.h"
#include "media/resize_picture.h"

namespace snug {
namespace {

// Of a picture that is looked at small: some 20 to 60 KB.
constexpr int kQuality = 80;

}  // namespace

std::vector<std::byte> clip_poster(const Picture& frame) {
  const int64_t longest = std::max(frame.width, frame.height);
  if (longest <= kMostPosterEdgePx) return encode_picture(frame, kPosterFormat, {}, kQuality);
  const double scale = static_cast<double>(kMostPosterEdgePx) / static_cast<double>(longest);
  const auto scaled = [&](int64_t edge_px) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(edge_px) * scale));
  };
  return encode_picture(resize_picture(frame, scaled(frame.width), scaled(frame.height)), kPosterFormat, {},
                        kQuality);
}

}  // namespace snug
