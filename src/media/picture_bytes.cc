#include "media/picture_bytes.h"

#include <fmt/format.h>

#include "base/error.h"

namespace snug {

std::vector<std::byte> read_picture_bytes(const ByteSource& source, uint64_t max_file_bytes) {
  if (source.size() > max_file_bytes) {
    throw Error(ErrorCode::kTooLarge,
                fmt::format("has {}, more than the {} that a picture may have", format_bytes(source.size()),
                            format_bytes(max_file_bytes)),
                "use a smaller picture");
  }
  std::vector<std::byte> bytes(source.size());
  source.read_at(0, bytes);
  return bytes;
}

void check_declared_size(int64_t width, int64_t height, const PictureLimits& limits) {
  if (width <= 0 || height <= 0) {
    throw Error(ErrorCode::kBadImage, fmt::format("declares a size of {} x {}", width, height),
                "save the picture again");
  }
  // The edges first: their product then fits in 64 bits.
  if (width > limits.max_edge || height > limits.max_edge || width * height > limits.max_pixels) {
    throw Error(ErrorCode::kTooLarge,
                fmt::format("declares {} x {} pixels; the limit is {} a side and {} in all", width, height,
                            limits.max_edge, limits.max_pixels),
                "scale it down first");
  }
}

void split_alpha(Picture& picture) {
  const auto pixels = static_cast<size_t>(picture.width * picture.height);
  picture.alpha.resize(pixels);
  for (size_t i = 0; i < pixels; ++i) {
    picture.alpha[i] = picture.rgb[4 * i + 3];
    for (size_t sample = 0; sample < 3; ++sample) picture.rgb[3 * i + sample] = picture.rgb[4 * i + sample];
  }
  picture.rgb.resize(3 * pixels);
}

std::vector<uint8_t> interleave_alpha(const Picture& picture) {
  const size_t pixels = picture.alpha.size();
  std::vector<uint8_t> rgba(4 * pixels);
  for (size_t i = 0; i < pixels; ++i) {
    for (size_t sample = 0; sample < 3; ++sample) rgba[4 * i + sample] = picture.rgb[3 * i + sample];
    rgba[4 * i + 3] = picture.alpha[i];
  }
  return rgba;
}

}  // namespace snug
