#include "pipeline/request_picture.h"

#include <algorithm>

#include "media/resize_picture.h"

namespace snug {
namespace {

Picture sized(const Picture& picture, int64_t width, int64_t height) {
  return picture.width == width && picture.height == height ? picture
                                                            : resize_picture(picture, width, height);
}

}  // namespace

HostTensor request_image(const Picture& picture, int64_t width, int64_t height) {
  HostTensor tensor = picture_to_tensor(sized(picture, width, height));
  for (float& value : tensor.floats()) value = 2 * value - 1;
  return tensor;
}

HostTensor request_mask(const Picture& picture, int64_t width, int64_t height) {
  const Picture fitted = sized(picture, width, height);
  HostTensor mask = fitted.alpha.empty() ? mask_from_luminance(fitted) : mask_from_alpha(fitted);
  for (float& value : mask.floats()) value = value >= 0.5F ? 1.0F : 0.0F;
  return mask;
}

std::vector<float> latent_mask(const HostTensor& mask, int64_t latent_height, int64_t latent_width) {
  const int64_t height = mask.shape()[2];
  const int64_t width = mask.shape()[3];
  std::vector<float> out(static_cast<size_t>(latent_height * latent_width));
  for (int64_t y = 0; y < latent_height; ++y) {
    for (int64_t x = 0; x < latent_width; ++x) {
      const int64_t source = (y * height / latent_height) * width + x * width / latent_width;
      out[static_cast<size_t>(y * latent_width + x)] = mask.floats()[static_cast<size_t>(source)];
    }
  }
  return out;
}

}  // namespace snug
