// Flow Euler with a Wan model, whose own sampler is UniPC: every step against the same step made by hand,
// with the transformers run node by node and the texts that diffusers encoded.
#include <cstdio>

#include <gtest/gtest.h>

#include "graph/passes/passes.h"
#include "models/video_model.h"
#include "pipeline/open_model.h"
#include "pipeline/validate_request.h"
#include "tests/clip_case.h"
#include "tests/part_values.h"
#include "tests/run_clip.h"

namespace snug {
namespace {

using testing::interpret;
using testing::Tensors;

constexpr testing::ClipCase kCase = {"t2v", "t2v"};
constexpr double kShift = 3, kBoundary = 0.7;  // of the model's scheduler, and between its experts
constexpr double kTrainTimesteps = 1000;
constexpr double kTolerance = 2e-4;  // of the fixture's latents

double shifted(double sigma) { return kShift * sigma / (1 + (kShift - 1) * sigma); }

// As diffusers spreads them: down to the training's smallest, which was shifted already.
std::vector<double> sigmas_of(int64_t steps) {
  const double smallest = shifted(1 / kTrainTimesteps);
  std::vector<double> sigmas;
  for (int64_t i = 0; i < steps; ++i)
    sigmas.push_back(shifted(1 + static_cast<double>(i) / static_cast<double>(steps - 1) * (smallest - 1)));
  sigmas.push_back(0);
  return sigmas;
}

// The model as diffusers calls it: once with the text, once with the negative one.
class ByHand {
 public:
  ByHand(const VideoModel& model, const Tensors& golden) : model_(model), golden_(golden) {}

  std::vector<float> velocity(const HostTensor& latents, double time, const Request& request) const {
    const size_t expert = time >= kBoundary * kTrainTimesteps ? 0 : 1;
    const double scale = expert == 0 ? request.guidance_scale : request.guidance_scale_2;
    const HostTensor without = call(latents, time, expert, "negative_prompt_embeds");
    const HostTensor with = call(latents, time, expert, "prompt_embeds");
    std::vector<float> velocity;
    for (size_t i = 0; i < with.floats().size(); ++i) {
      const double base = without.floats()[i];
      velocity.push_back(static_cast<float>(base + scale * (with.floats()[i] - base)));
    }
    return velocity;
  }

 private:
  HostTensor call(const HostTensor& latents, double time, size_t expert, const std::string& text) const {
    WanTransformerRequest size;
    size.frames = latents.shape()[2];
    size.height = latents.shape()[3];
    size.width = latents.shape()[4];
    const Graph graph = run_passes(video_transformer_graph(model_, expert, size));
    HostTensor timestep(DType::kF32, Shape{1});
    timestep.floats()[0] = static_cast<float>(time);
    const Tensors inputs = {{"latents", latents}, {"timestep", timestep}, {"conditioning", golden_.at(text)}};
    return interpret(graph, cpu_backend(), inputs, testing::weights_of(graph, *model_.experts[expert]))
        .at("model_output");
  }

  const VideoModel& model_;
  const Tensors& golden_;
};

TEST(WanFlowEuler, GoesStraightAlongWhatTheExpertsSay) {
  const Tensors golden = testing::read_fixture("wan-tiny-t2v/cases/t2v.safetensors");
  RequestFields fields = fields_of(kCase);
  fields.sampler = "flow_euler";
  fields.steps = 5;
  const auto model = open_model(fields);
  Request request = validate_request(fields, *model, cpu_backend());
  request.latents = golden.at("latents_in");
  testing::NoNoise noise;
  const testing::ClipOutcome outcome = run_clip(request, *model, noise);
  EXPECT_EQ(static_cast<int64_t>(outcome.frames.size()), request.frames);

  const ByHand by_hand(*model->description.video, golden);
  const std::vector<double> sigmas = sigmas_of(request.steps);
  HostTensor latents = golden.at("latents_in").to_f32();
  const size_t size = latents.floats().size();
  double worst = 0;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double time = kTrainTimesteps * sigmas[i];
    EXPECT_NEAR(outcome.trace.timesteps.floats()[i], time, 1e-3) << i;
    const std::vector<float> velocity = by_hand.velocity(latents, time, request);
    for (size_t k = 0; k < size; ++k)
      latents.floats()[k] += static_cast<float>((sigmas[i + 1] - sigmas[i]) * velocity[k]);
    worst = std::max(worst, testing::worst_difference(outcome.trace.latents.floats().subspan(i * size, size),
                                                      latents.floats()));
  }
  std::printf("parity wan flow_euler: latents %.2g (tolerance %.2g)\n", worst, kTolerance);
  EXPECT_LE(worst, kTolerance);
}

}  // namespace
}  // namespace snug
