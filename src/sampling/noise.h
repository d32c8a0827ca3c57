// Seeded normal noise with the values that PyTorch's CPU generator gives for the same seed, so that a seed
// from diffusers makes the same picture.
//
// pipeline/ makes one generator for each image of a batch (image i uses seed + i) and hands them to the
// sampler as a NoiseSource; tests hand in recorded noise. Uniforms are exact, normals within a few units in
// the last place (PyTorch's vector log, sin and cos round differently).
// Source: observed behaviour of torch.Generator on a CPU, written down in tests/fixtures/rng/README.md; the
// generator itself is MT19937 (Matsumoto and Nishimura, 1998).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace snug {

class TorchGenerator {
 public:
  // All that decides the following values, as plain data for checkpoints.
  struct State {
    std::array<uint32_t, 624> words = {};
    uint32_t next_word = 0;  // 0..624
    std::optional<double> spare_normal;
    bool operator==(const State&) const = default;
  };

  // Only the low 32 bits of the seed count, as in PyTorch.
  explicit TorchGenerator(uint64_t seed);
  // `state.next_word` beyond 624 is refused with corrupt_model: a checkpoint is outside input.
  explicit TorchGenerator(const State& state);

  const State& state() const { return state_; }

  // torch.rand: uniform in [0, 1), 24 bits.
  void fill_uniform(std::span<float> out);
  // torch.randn of out.size() elements in one call. Fewer than 16 elements and 16 or more take different
  // ways through the generator: two calls of 8 do not give the values of one call of 16.
  void fill_normal(std::span<float> out);

 private:
  uint32_t next_word();
  float next_uniform_float();
  double next_uniform_double();
  float next_normal();
  void refill();

  State state_;
};

// Where samplers get noise from. A sampler asks for the noise of its whole latents at once.
class NoiseSource {
 public:
  virtual ~NoiseSource() = default;
  // Fills `out` with unit normal values, the next ones of the sequence.
  virtual void draw(std::span<float> out) = 0;
  // What decides the following values, and going on from it. Of recorded noise there is nothing to keep.
  virtual std::vector<TorchGenerator::State> states() const { return {}; }
  virtual void restore(const std::vector<TorchGenerator::State>& /*states*/) {}
};

// One generator for each image of a batch. draw() splits `out` (N C H W) into as many equal parts as there
// are images and fills part i from generator i.
class BatchNoise : public NoiseSource {
 public:
  BatchNoise(uint64_t first_seed, int images);
  explicit BatchNoise(std::vector<TorchGenerator> generators) : generators_(std::move(generators)) {}

  void draw(std::span<float> out) override;
  // For checkpoints, by image. restore throws corrupt_model for states of another number of images, or that
  // no generator can have.
  std::vector<TorchGenerator::State> states() const override;
  void restore(const std::vector<TorchGenerator::State>& states) override;

 private:
  std::vector<TorchGenerator> generators_;
};

}  // namespace snug
