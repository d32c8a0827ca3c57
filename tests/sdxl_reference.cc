#include "tests/sdxl_reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "models/model_graphs.h"
#include "tests/interpret.h"
#include "tests/part_values.h"

namespace snug::testing {
namespace {

constexpr int kTrainingSteps = 1000;

// One chunk for each side of the guidance.
const std::vector<int32_t>& ids_of(const PromptChunks& chunks) {
  if (chunks.ids.size() != 1) throw std::runtime_error("the reference takes prompts of one chunk");
  return chunks.ids.front();
}

HostTensor ids_tensor(const PromptPair& pair) {
  const auto length = static_cast<int64_t>(ids_of(pair.positive).size());
  HostTensor ids(DType::kI32, {2, length});
  std::byte* out = ids.bytes().data();
  for (const PromptChunks* chunks : {&pair.negative, &pair.positive}) {
    const size_t bytes = ids_of(*chunks).size() * sizeof(int32_t);
    std::memcpy(out, ids_of(*chunks).data(), bytes);
    out += bytes;
  }
  return ids;
}

// Rows of `part` into channels first, first + 1, ... of `whole`.
void put_channels(const HostTensor& part, int64_t first, HostTensor& whole) {
  const int64_t width = part.shape()[2], all = whole.shape()[2];
  for (int64_t row = 0; row < part.elements() / width; ++row) {
    std::copy_n(part.floats().begin() + row * width, width, whole.floats().begin() + row * all + first);
  }
}

HostTensor at_end_tokens(const HostTensor& projected, const PromptPair& pair) {
  const int64_t length = projected.shape()[1], width = projected.shape()[2];
  HostTensor rows(DType::kF32, {2, width});
  int64_t row = 0;
  for (const PromptChunks* chunks : {&pair.negative, &pair.positive}) {
    const auto& ids = ids_of(*chunks);
    // The end token has the largest id of all, as CLIP's own code finds it.
    const int64_t end = std::max_element(ids.begin(), ids.end()) - ids.begin();
    std::copy_n(projected.floats().begin() + (row * length + end) * width, width,
                rows.floats().begin() + row * width);
    ++row;
  }
  return rows;
}

}  // namespace

std::vector<int> leading_timesteps(int steps) {
  std::vector<int> timesteps;
  for (int i = steps - 1; i >= 0; --i) timesteps.push_back(i * (kTrainingSteps / steps) + 1);
  return timesteps;
}

double sigma_of(int timestep) {
  const double first = std::sqrt(0.00085), last = std::sqrt(0.012);
  double signal = 1;
  for (int t = 0; t <= timestep; ++t) {
    const double root = first + (last - first) * t / (kTrainingSteps - 1);
    signal *= 1 - root * root;
  }
  return std::sqrt((1 - signal) / signal);
}

SdxlReference::SdxlReference(const ModelDescription& model, const TokenizedPrompt& prompt,
                             double guidance_scale, std::span<const float> positive,
                             std::span<const float> negative)
    : model_(model), guidance_scale_(guidance_scale) {
  conditioning_ = HostTensor(DType::kF32, {2, model.text_positions(), model.text_channels()});
  int64_t channel = 0;
  for (size_t i = 0; i < model.text_encoders.size(); ++i) {
    const TextEncoder& encoder = model.text_encoders[i];
    const Graph graph = text_encoder_graph(encoder, encoder.request(2, 0));
    const Tensors out = interpret(graph, reference_backend(), {{"input_ids", ids_tensor(prompt.pairs[i])}},
                                  weights_of(graph, *encoder.weights));
    put_channels(out.at("conditioning"), channel, conditioning_);
    channel += encoder.config.hidden_size;
    if (encoder.pooled) text_embeds_ = at_end_tokens(out.at("projected"), prompt.pairs[i]);
  }
  std::vector<float> numbers(negative.begin(), negative.end());
  numbers.insert(numbers.end(), positive.begin(), positive.end());
  time_ids_ = HostTensor::from_floats({static_cast<int64_t>(numbers.size())}, numbers);
}

HostTensor SdxlReference::denoise(HostTensor latents, std::span<const int> timesteps,
                                  const AfterStep& after) const {
  const Shape& shape = latents.shape();
  const Graph graph = unet_graph(model_, {.batch = 2, .height = shape[2], .width = shape[3]});
  const Tensors weights = weights_of(graph, *model_.unet_weights);
  const size_t size = latents.floats().size();
  for (size_t i = 0; i < timesteps.size(); ++i) {
    const double sigma = sigma_of(timesteps[i]);
    const double next = i + 1 < timesteps.size() ? sigma_of(timesteps[i + 1]) : 0;
    HostTensor input(DType::kF32, {2, shape[1], shape[2], shape[3]});
    for (size_t j = 0; j < 2 * size; ++j)
      input.floats()[j] = static_cast<float>(latents.floats()[j % size] / std::sqrt(sigma * sigma + 1));
    const auto timestep = static_cast<float>(timesteps[i]);
    const Tensors out = interpret(graph, reference_backend(),
                                  {{"latents", input},
                                   {"timestep", HostTensor::from_floats({1}, {{timestep}})},
                                   {"conditioning", conditioning_},
                                   {"text_embeds", text_embeds_},
                                   {"time_ids", time_ids_}},
                                  weights);
    const auto noise = out.at("model_output").floats();
    for (size_t j = 0; j < size; ++j) {
      const double negative = noise[j], positive = noise[size + j];
      const double guided = negative + guidance_scale_ * (positive - negative);
      latents.floats()[j] = static_cast<float>(latents.floats()[j] + (next - sigma) * guided);
    }
    if (after) after(latents.floats(), next);
  }
  return latents;
}

HostTensor SdxlReference::decode(HostTensor latents) const {
  const Shape shape = latents.shape();
  for (float& value : latents.floats()) value /= model_.scaling_factor;
  const Graph graph = vae_decoder_graph(model_, {1, shape[2], shape[3]});
  HostTensor image =
      interpret(graph, reference_backend(), {{"latents", latents}}, weights_of(graph, *model_.vae_weights))
          .at("image");
  for (float& value : image.floats()) value = std::clamp((value + 1) / 2, 0.0F, 1.0F);
  return image;
}

HostTensor SdxlReference::encode(const HostTensor& image) const {
  const Graph graph = vae_encoder_graph(model_, {1, image.shape()[2], image.shape()[3]});
  return interpret(graph, reference_backend(), {{"image", image}}, weights_of(graph, *model_.vae_weights))
      .at("moments");
}

}  // namespace snug::testing
