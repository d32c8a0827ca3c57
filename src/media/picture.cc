#include "media/picture.h"

#include <cmath>
#include <cstddef>

#include "base/check.h"

namespace snug {
namespace {

int64_t checked_pixels(const Picture& picture) {
  SNUG_CHECK(picture.width > 0 && picture.height > 0, "a picture has pixels");
  const int64_t pixels = picture.width * picture.height;
  SNUG_CHECK(std::ssize(picture.rgb) == 3 * pixels, "three samples for each pixel");
  SNUG_CHECK(picture.alpha.empty() || std::ssize(picture.alpha) == pixels, "one alpha for each pixel");
  return pixels;
}

uint8_t to_sample(float value) {
  if (!(value > 0.0F)) return 0;  // also NaN
  if (value >= 1.0F) return 255;
  return static_cast<uint8_t>(std::nearbyint(255.0F * value));
}

}  // namespace

HostTensor picture_to_tensor(const Picture& picture) {
  const int64_t pixels = checked_pixels(picture);
  HostTensor tensor(DType::kF32, {1, 3, picture.height, picture.width});
  const std::span<float> out = tensor.floats();
  for (int64_t channel = 0; channel < 3; ++channel) {
    for (int64_t i = 0; i < pixels; ++i) {
      out[static_cast<size_t>(channel * pixels + i)] =
          static_cast<float>(picture.rgb[static_cast<size_t>(3 * i + channel)]) / 255.0F;
    }
  }
  return tensor;
}

Picture tensor_to_picture(const HostTensor& images, int64_t batch_index) {
  const Shape& shape = images.shape();
  SNUG_CHECK(shape.rank() == 4 && shape[1] == 3, "images are [N, 3, H, W]");
  SNUG_CHECK(batch_index >= 0 && batch_index < shape[0], "the batch has that image");
  Picture picture{.width = shape[3], .height = shape[2], .rgb = {}, .alpha = {}};
  const int64_t pixels = picture.width * picture.height;
  picture.rgb.resize(static_cast<size_t>(3 * pixels));
  const std::span<const float> image =
      images.floats().subspan(static_cast<size_t>(batch_index * 3 * pixels), static_cast<size_t>(3 * pixels));
  for (int64_t channel = 0; channel < 3; ++channel) {
    for (int64_t i = 0; i < pixels; ++i) {
      picture.rgb[static_cast<size_t>(3 * i + channel)] =
          to_sample(image[static_cast<size_t>(channel * pixels + i)]);
    }
  }
  return picture;
}

HostTensor mask_from_luminance(const Picture& picture) {
  const int64_t pixels = checked_pixels(picture);
  HostTensor mask(DType::kF32, {1, 1, picture.height, picture.width});
  for (int64_t i = 0; i < pixels; ++i) {
    const uint8_t* rgb = picture.rgb.data() + 3 * i;
    const uint32_t luminance = (19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2] + 32768U) >> 16;
    mask.floats()[static_cast<size_t>(i)] = static_cast<float>(luminance) / 255.0F;
  }
  return mask;
}

HostTensor mask_from_alpha(const Picture& picture) {
  checked_pixels(picture);
  HostTensor mask(DType::kF32, {1, 1, picture.height, picture.width});
  const std::span<float> out = mask.floats();
  for (size_t i = 0; i < picture.alpha.size(); ++i) {
    out[i] = static_cast<float>(255 - picture.alpha[i]) / 255.0F;
  }
  return mask;
}

}  // namespace snug
