#include "pipeline/decode_clip.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "backend/cpu/isa.h"
#include "base/checksum.h"
#include "base/version.h"
#include "plan/carried_state.h"

namespace snug {
namespace {

// [-1, 1] → 0..255, halves to even as in tensor_to_picture.
uint8_t sample_of(float value) {
  const float unit = std::clamp(value / 2 + 0.5F, 0.0F, 1.0F);
  return static_cast<uint8_t>(std::nearbyint(255.0F * unit));
}

// Latents as they were before they were normalised.
HostTensor denormalised(const HostTensor& latents, const AutoencoderWanConfig& vae) {
  HostTensor z = latents;
  const auto of_channel = static_cast<size_t>(z.elements() / vae.latent_channels);
  for (size_t i = 0; i < z.floats().size(); ++i) {
    const size_t channel = i / of_channel;
    z.floats()[i] = z.floats()[i] * vae.latents_std[channel] + vae.latents_mean[channel];
  }
  return z;
}

// What the frames depend on beside the plan, and on what the plan's state does.
DecodeKey key_of(const PlannedRun& run, const Request& request, const Model& model, const Phase& decode,
                 const HostTensor& latents) {
  const Backend& backend = run.kernels->backend();
  DecodeKey key;
  Checksum sum;
  sum.add(fmt::format("{} {} {}\n{}\n", request.width, request.height, request.frames, model.identity));
  sum.add(latents.bytes());
  key.run = sum.text();
  // Kernels of another instruction set sum up in another order.
  key.plan =
      fmt::format("{} {} {} {}", kVersion, backend.name(), isa_name(used_isa()), state_fingerprint(decode));
  key.frame_bytes = static_cast<size_t>(3 * request.width * request.height);
  key.frames = request.frames;
  return key;
}

// Makes frames of the parts that come.
class Frames {
 public:
  Frames(const Request& request, const DecodeWatch& watch)
      : watch_(watch), frame_samples_(static_cast<size_t>(3 * request.width * request.height)) {
    frame_.width = request.width;
    frame_.height = request.height;
    frame_.rgb.reserve(frame_samples_);
  }

  // What was kept; the frames of it go to who takes them.
  void go_on(const DecodePlace& place) {
    watch_.checkpoint->for_each_frame([&](std::span<const uint8_t> samples, int64_t number) {
      frame_.rgb.assign(samples.begin(), samples.end());
      watch_.take(frame_, number);
    });
    number_ = place.frames;
    frame_.rgb.assign(place.unfinished.begin(), place.unfinished.end());
    if (watch_.resumed) watch_.resumed(place.frames);
  }
  void add(std::span<const float> values) {
    for (const float value : values) {
      frame_.rgb.push_back(sample_of(value));
      if (frame_.rgb.size() < frame_samples_) continue;
      if (watch_.checkpoint != nullptr) watch_.checkpoint->add_frame(frame_.rgb);
      watch_.take(frame_, number_++);
      frame_.rgb.clear();
    }
  }
  int64_t done() const { return number_; }
  DecodePlace place(size_t next_instruction) const { return {next_instruction, number_, frame_.rgb}; }

 private:
  const DecodeWatch& watch_;
  const size_t frame_samples_;
  Picture frame_;  // the next one, as far as it is made
  int64_t number_ = 0;
};

}  // namespace

void decode_clip(const PlannedRun& run, const Request& request, const Model& model, const HostTensor& latents,
                 Executor& executor, const DecodeWatch& watch) {
  const Phase& decode = run.plan.phase(phase::kDecode);
  Frames frames(request, watch);
  std::optional<DecodePlace> from;
  if (watch.checkpoint != nullptr) {
    from = watch.checkpoint->resume(key_of(run, request, model, decode, latents), executor, decode);
  }
  executor.begin(decode, from.has_value() ? from->next_instruction : 0);
  if (from.has_value()) {
    frames.go_on(*from);
    from.reset();
  } else {
    executor.set_input(decode, "latents", denormalised(latents, model.description.video->vae).floats());
  }
  executor.run_streamed(decode, [&](const OutputPart& part) {
    frames.add(part.values);
    if (watch.checkpoint == nullptr || !watch.checkpoint->keeps() || frames.done() == request.frames) return;
    if (!watch.checkpoint_due()) return;
    watch.checkpoint->keep(frames.place(executor.instructions_done()), executor, decode);
    if (watch.checkpoint_kept) watch.checkpoint_kept(watch.checkpoint->kept_frames());
  });
}

}  // namespace snug
