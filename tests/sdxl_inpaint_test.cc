// Repainting part of a picture with Stable Diffusion XL: against a second implementation of the steps
// (tests/sdxl_reference.h), and what the mask promises: what is not repainted stays.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "media/atomic_file.h"
#include "media/encode_picture.h"
#include "pipeline/open_model.h"
#include "pipeline/validate_request.h"
#include "tests/fixtures.h"
#include "tests/run_stages.h"
#include "tests/sdxl_reference.h"

namespace snug {
namespace {

using testing::Outcome;
using testing::worst_difference;

constexpr double kLatentsTolerance = 5e-4, kImageTolerance = 5e-5, kEncoderTolerance = 1e-5;
constexpr int64_t kWidth = 96, kHeight = 64, kFactor = 8;
constexpr int kSteps = 5;
constexpr double kGuidance = 5;

Picture picture_of(const std::function<uint8_t(int64_t x, int64_t y, int64_t channel)>& value) {
  Picture picture{kWidth, kHeight, {}, {}};
  for (int64_t y = 0; y < kHeight; ++y) {
    for (int64_t x = 0; x < kWidth; ++x) {
      for (int64_t c = 0; c < 3; ++c) picture.rgb.push_back(value(x, y, c));
    }
  }
  return picture;
}

// A rectangle of whole latents that touches no edge.
bool inside(int64_t x, int64_t y) { return x >= 24 && x < 64 && y >= 16 && y < 40; }

class SdxlInpaint : public ::testing::Test {
 protected:
  std::shared_ptr<const ByteSource> png(const std::string& name, const Picture& picture) const {
    const std::vector<std::byte> bytes = encode_picture(picture, PictureFormat::kPng);
    const std::string path = place_.path(name + ".png");
    write_file_atomically(path, bytes);
    return open_file(path);
  }
  std::shared_ptr<const ByteSource> mask(const std::function<bool(int64_t x, int64_t y)>& repainted) const {
    return png("mask", picture_of([&](int64_t x, int64_t y, int64_t) {
                 return static_cast<uint8_t>(repainted(x, y) ? 255 : 0);
               }));
  }
  RequestFields fields() const {
    RequestFields fields;
    fields.model = testing::fixtures_dir() + "/sdxl-tiny";
    fields.prompt = "a red circle over mountains";
    fields.negative_prompt = "snow";
    fields.steps = kSteps;
    fields.guidance_scale = kGuidance;
    fields.sampler = "euler";
    fields.seed = 6;
    fields.image = png("picture", picture_of([](int64_t x, int64_t y, int64_t c) {
                         return static_cast<uint8_t>((5 * x * (c + 1) + 3 * y) % 256);
                       }));
    return fields;
  }
  static Outcome run(const RequestFields& fields) {
    const auto model = open_model(fields);
    const Request request = validate_request(fields, *model, cpu_backend());
    BatchNoise noise = noise_of(request);
    return testing::run_stages(request, *model, cpu_backend(), noise);
  }

  TemporaryFolder place_;
};

HostTensor last_latents(const Outcome& outcome) {
  const Shape& shape = outcome.trace.latents.shape();
  HostTensor last(DType::kF32, {shape[1], shape[2], shape[3], shape[4]});
  const auto all = outcome.trace.latents.floats();
  std::copy(all.end() - last.elements(), all.end(), last.floats().begin());
  return last;
}

// The noise of a request in the order in which diffusers' pipeline draws it.
struct Noise {
  HostTensor posterior, start;
};
Noise noise_in_order(const Request& request, const Shape& latents) {
  BatchNoise source = noise_of(request);
  Noise noise{HostTensor(DType::kF32, latents), HostTensor(DType::kF32, latents)};
  source.draw(noise.posterior.floats());
  source.draw(noise.start.floats());
  return noise;
}

// A sample of the distribution that the encoder gives, scaled.
HostTensor sampled(const HostTensor& moments, const HostTensor& noise, float scale) {
  HostTensor latents = noise;
  const size_t size = latents.floats().size();
  for (size_t i = 0; i < size; ++i) {
    const float variance = std::clamp(moments.floats()[size + i], -30.0F, 20.0F);
    latents.floats()[i] = scale * (moments.floats()[i] + std::exp(0.5F * variance) * noise.floats()[i]);
  }
  return latents;
}

class SdxlInpaintStrength : public SdxlInpaint, public ::testing::WithParamInterface<double> {};

TEST_P(SdxlInpaintStrength, IsWhatTheReferencePaints) {
  const double strength = GetParam();
  RequestFields asked = fields();
  asked.mask = mask(inside);
  asked.strength = strength;
  const Outcome outcome = run(asked);

  const auto model = open_model(asked);
  const Request request = validate_request(asked, *model, cpu_backend());
  const PlannedRun planned = run_without_plan(request, *model, cpu_backend(), {});
  const std::vector<float> numbers = {kHeight, kWidth, 0, 0, kHeight, kWidth};
  const testing::SdxlReference reference(model->description, planned.prompts.front(), kGuidance, numbers,
                                         numbers);
  const Noise noise = noise_in_order(request, {1, 4, kHeight / kFactor, kWidth / kFactor});
  const HostTensor picture =
      sampled(reference.encode(request.image), noise.posterior, model->description.scaling_factor);
  const auto painted = static_cast<size_t>(strength * kSteps);
  const std::vector<int> all = testing::leading_timesteps(kSteps);
  const auto timesteps = std::span(all).last(painted);
  const double first = testing::sigma_of(timesteps.front());
  HostTensor latents = noise.start;
  for (size_t i = 0; i < latents.floats().size(); ++i) {
    const double start = noise.start.floats()[i];
    latents.floats()[i] = static_cast<float>(strength == 1 ? start * std::sqrt(first * first + 1)
                                                           : picture.floats()[i] + first * start);
  }
  constexpr int64_t kColumns = kWidth / kFactor, kPixels = kColumns * kHeight / kFactor;
  latents = reference.denoise(latents, timesteps, [&](std::span<float> now, double sigma) {
    for (size_t i = 0; i < now.size(); ++i) {
      const int64_t pixel = static_cast<int64_t>(i) % kPixels;
      if (!inside(pixel % kColumns * kFactor, pixel / kColumns * kFactor))
        now[i] = static_cast<float>(picture.floats()[i] + sigma * noise.start.floats()[i]);
    }
  });
  const HostTensor image = reference.decode(latents);
  const double worst = worst_difference(last_latents(outcome).floats(), latents.floats());
  const double level = worst_difference(outcome.images.floats(), image.floats());
  std::printf("parity sdxl inpaint %g: latents %.2g (tolerance %.2g), image %.2g (%.2g)\n", strength, worst,
              kLatentsTolerance, level, kImageTolerance);
  EXPECT_EQ(outcome.trace.timesteps.elements(), static_cast<int64_t>(painted));
  EXPECT_LE(worst, kLatentsTolerance);
  EXPECT_LE(level, kImageTolerance);
}

INSTANTIATE_TEST_SUITE_P(All, SdxlInpaintStrength, ::testing::Values(1.0, 0.6));

// Outside of the mask the last latents are the picture's own, whatever is painted inside.
TEST_F(SdxlInpaint, LeavesTheRestOfThePictureToTheBit) {
  RequestFields asked = fields(), other = fields();
  asked.mask = other.mask = mask(inside);
  other.prompt = "a castle";
  const HostTensor one = last_latents(run(asked)), two = last_latents(run(other));
  int64_t outside = 0, same_inside = 0;
  for (int64_t i = 0; i < one.elements(); ++i) {
    const int64_t columns = kWidth / kFactor, pixel = i % (columns * kHeight / kFactor);
    const bool same = one.floats()[static_cast<size_t>(i)] == two.floats()[static_cast<size_t>(i)];
    if (inside(pixel % columns * kFactor, pixel / columns * kFactor)) {
      same_inside += same ? 1 : 0;
    } else {
      EXPECT_TRUE(same) << i;
      ++outside;
    }
  }
  EXPECT_EQ(outside, 4 * (12 * 8 - 5 * 3));
  EXPECT_EQ(same_inside, 0);
}

TEST_F(SdxlInpaint, OfNothingGivesThePictureBack) {
  RequestFields asked = fields();
  asked.mask = mask([](int64_t, int64_t) { return false; });
  const Outcome outcome = run(asked);
  const auto model = open_model(asked);
  const Request request = validate_request(asked, *model, cpu_backend());
  const PlannedRun planned = run_without_plan(request, *model, cpu_backend(), {});
  const testing::SdxlReference reference(model->description, planned.prompts.front(), kGuidance, {}, {});
  const Noise noise = noise_in_order(request, {1, 4, kHeight / kFactor, kWidth / kFactor});
  const HostTensor picture =
      sampled(reference.encode(request.image), noise.posterior, model->description.scaling_factor);
  EXPECT_LE(worst_difference(last_latents(outcome).floats(), picture.floats()), kEncoderTolerance);
}

// At full strength: text to image from the second draw of noise.
TEST_F(SdxlInpaint, OfEverythingHasTheBitsOfTextToImage) {
  RequestFields asked = fields();
  asked.mask = mask([](int64_t, int64_t) { return true; });
  asked.strength = 1;
  const Outcome painted = run(asked);
  RequestFields plain = asked;
  plain.image = plain.mask = nullptr;
  plain.strength.reset();
  plain.width = kWidth;
  plain.height = kHeight;
  const auto model = open_model(plain);
  Request request = validate_request(plain, *model, cpu_backend());
  request.latents = noise_in_order(request, {1, 4, kHeight / kFactor, kWidth / kFactor}).start;
  BatchNoise noise = noise_of(request);
  const Outcome made = testing::run_stages(request, *model, cpu_backend(), noise);
  EXPECT_EQ(worst_difference(painted.images.floats(), made.images.floats()), 0);
}

}  // namespace
}  // namespace snug
