#include "media/resize_picture.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace snug {
namespace {

// The source pixels of one output pixel along one axis.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;  // sum to 1
};

std::vector<Taps> triangle_taps(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double radius = std::max(1.0, scale);
  std::vector<Taps> taps(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    Taps& tap = taps[static_cast<size_t>(i)];
    tap.first = std::clamp<int64_t>(static_cast<int64_t>(std::floor(centre - radius + 0.5)), 0, from - 1);
    const int64_t end =
        std::clamp<int64_t>(static_cast<int64_t>(std::floor(centre + radius + 0.5)), tap.first + 1, from);
    double sum = 0;
    for (int64_t j = tap.first; j < end; ++j) {
      const double weight = std::max(0.0, 1 - std::abs((static_cast<double>(j) + 0.5 - centre) / radius));
      tap.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : tap.weights)
      weight = sum > 0 ? static_cast<float>(weight / sum) : 1.0F / static_cast<float>(tap.weights.size());
  }
  return taps;
}

// One plane-interleaved picture of `channels`, width first and height second.
std::vector<uint8_t> resize(const std::vector<uint8_t>& source, int64_t from_width, int64_t from_height,
                            int64_t width, int64_t height, int64_t channels) {
  const std::vector<Taps> columns = triangle_taps(from_width, width);
  const std::vector<Taps> rows = triangle_taps(from_height, height);
  std::vector<float> narrow(static_cast<size_t>(from_height * width * channels));
  for (int64_t y = 0; y < from_height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const Taps& tap = columns[static_cast<size_t>(x)];
      for (int64_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (size_t k = 0; k < tap.weights.size(); ++k) {
          const int64_t at = (y * from_width + tap.first + static_cast<int64_t>(k)) * channels + c;
          sum += tap.weights[k] * static_cast<float>(source[static_cast<size_t>(at)]);
        }
        narrow[static_cast<size_t>((y * width + x) * channels + c)] = sum;
      }
    }
  }
  std::vector<uint8_t> out(static_cast<size_t>(width * height * channels));
  const int64_t stride = width * channels;
  for (int64_t y = 0; y < height; ++y) {
    const Taps& tap = rows[static_cast<size_t>(y)];
    for (int64_t i = 0; i < stride; ++i) {
      float sum = 0;
      for (size_t k = 0; k < tap.weights.size(); ++k) {
        sum +=
            tap.weights[k] * narrow[static_cast<size_t>((tap.first + static_cast<int64_t>(k)) * stride + i)];
      }
      out[static_cast<size_t>(y * stride + i)] = static_cast<uint8_t>(std::clamp(std::lround(sum), 0L, 255L));
    }
  }
  return out;
}

}  // namespace

Picture resize_picture(const Picture& picture, int64_t width, int64_t height) {
  SNUG_CHECK(width >= 1 && height >= 1 && picture.width >= 1 && picture.height >= 1, "sizes are positive");
  Picture out;
  out.width = width;
  out.height = height;
  out.rgb = resize(picture.rgb, picture.width, picture.height, width, height, 3);
  if (!picture.alpha.empty())
    out.alpha = resize(picture.alpha, picture.width, picture.height, width, height, 1);
  return out;
}

}  // namespace snug
