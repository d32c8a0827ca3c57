#include "pipeline/decode_latents.h"

#include <algorithm>

namespace snug {

HostTensor decode_latents(const PlannedRun& run, const Request& request, const Model& model,
                          const HostTensor& latents, Executor& executor) {
  const Phase& decode = run.plan.phase(phase::kDecode);
  executor.begin(decode);
  const auto one = static_cast<size_t>(latents.elements() / request.batch);
  std::vector<float> scaled(one);
  HostTensor images(DType::kF32, Shape{request.batch, 3, request.height, request.width});
  const auto image_size = static_cast<size_t>(images.elements() / request.batch);
  for (int64_t i = 0; i < request.batch; ++i) {
    const auto picture = static_cast<size_t>(i);
    const std::span<const float> source = latents.floats().subspan(picture * one, one);
    for (size_t j = 0; j < one; ++j) scaled[j] = source[j] / model.description.scaling_factor;
    executor.set_input(decode, "latents", std::span<const float>(scaled), static_cast<int>(i));
    executor.run(decode, static_cast<int>(i));
    const std::span<float> image = images.floats().subspan(picture * image_size, image_size);
    executor.read_output(decode, "image", image, static_cast<int>(i));
    for (float& value : image) value = std::clamp(value / 2 + 0.5F, 0.0F, 1.0F);
  }
  return images;
}

}  // namespace snug
