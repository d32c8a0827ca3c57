#include "sampling/sampler.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/error.h"

namespace snug {

Sampler::Sampler(const SamplerConfig& config, int steps, int calls_per_step, int history_size)
    : config_(config), steps_(steps), calls_per_step_(calls_per_step), history_size_(history_size) {
  SNUG_CHECK(steps > 0, "a run has steps");
}

void Sampler::set_draws_noise() {
  for (SamplerCall& call : calls_) call.draws_noise = true;
}

bool Sampler::ever_draws_noise() const {
  return std::any_of(calls_.begin(), calls_.end(), [](const SamplerCall& c) { return c.draws_noise; });
}

const SamplerCall& Sampler::at(int call) const {
  SNUG_CHECK(call >= 0 && call < calls(), "a call of this run");
  return calls_[static_cast<size_t>(call)];
}

int Sampler::first_call(double strength) const {
  SNUG_CHECK(strength >= 0 && strength <= 1, "strength is validated with the request");
  const int kept_steps = std::min(static_cast<int>(steps_ * strength), steps_);
  return std::min((steps_ - kept_steps) * calls_per_step_, calls());
}

int Sampler::end_call_before(double share) const {
  const double training = config_.num_train_timesteps;
  const double cutoff = std::nearbyint(training - share * training);
  const auto before = std::count_if(calls_.begin(), calls_.end(), [cutoff](const SamplerCall& call) {
    return static_cast<double>(call.timestep) >= cutoff;
  });
  return static_cast<int>(before);
}

int Sampler::first_call_after(double share) const {
  const int first = end_call_before(share);
  return first - first % calls_per_step_;
}

void Sampler::add_noise(int call, std::span<const float> noise, std::span<float> latents) const {
  if (call == calls()) return;
  combine(latents, {{at(call).signal, latents}, {at(call).noise, noise}});
}

int64_t Sampler::memory_bytes(int64_t elements) const {
  return (history_size_ + (ever_draws_noise() ? 1 : 0)) * elements * static_cast<int64_t>(sizeof(float));
}

void Sampler::begin(int64_t elements, int first_call) {
  SNUG_CHECK(elements > 0 && first_call >= 0 && first_call <= calls(), "a run within the schedule");
  const auto length = static_cast<size_t>(elements);
  state_.first_call = first_call;
  state_.next_call = first_call;
  state_.history.assign(static_cast<size_t>(history_size_), std::vector<float>(length));
  noise_.assign(ever_draws_noise() ? length : 0, 0.0F);
}

void Sampler::step(int call, std::span<const float> output, std::span<float> latents, NoiseSource& noise) {
  SNUG_CHECK(call == state_.next_call, "calls come in order, after begin()");
  SNUG_CHECK(output.size() == latents.size(), "the model's output is as long as the latents");
  std::span<float> drawn;
  if (at(call).draws_noise) {
    SNUG_CHECK(noise_.size() == latents.size(), "begin() was told the latents' length");
    drawn = noise_;
    noise.draw(drawn);
  }
  advance(call, output, latents, drawn);
  ++state_.next_call;
}

void Sampler::predict_picture(int call, std::span<const float> output, std::span<const float> latents,
                              std::span<float> picture) const {
  const Mix mix = picture_mix(call);
  combine(picture, {{mix.of_latents, latents}, {mix.of_output, output}});
}

void Sampler::restore(SamplerState state, int64_t elements) {
  const bool fits =
      state.first_call >= 0 && state.first_call <= state.next_call && state.next_call <= calls() &&
      state.history.size() == static_cast<size_t>(history_size_) &&
      std::all_of(state.history.begin(), state.history.end(), [&](const std::vector<float>& entry) {
        return entry.size() == static_cast<size_t>(elements);
      });
  if (!fits) {
    throw Error(ErrorCode::kCorruptModel, "the saved sampler state is not of this run",
                "the checkpoint is damaged or belongs to other settings: start the run again");
  }
  begin(elements, state.first_call);
  state_ = std::move(state);
}

std::span<float> Sampler::push_history(int count) {
  const auto entries = std::span(state_.history).first(static_cast<size_t>(count));
  std::rotate(entries.begin(), entries.end() - 1, entries.end());
  return entries.front();
}

}  // namespace snug
