// The promise: whatever the budget, the same picture, bit for bit, from a plan that its proof accepts and
// whose arena is used to its last byte and no further.
#include <algorithm>
#include <cstdlib>
#include <set>

#include <gtest/gtest.h>

#include "base/cancellation.h"
#include "base/parallel.h"
#include "base/temporary_folder.h"
#include "media/encode_picture.h"
#include "pipeline/decode_latents.h"
#include "pipeline/denoise.h"
#include "pipeline/encode_text.h"
#include "pipeline/host_bytes.h"
#include "pipeline/load_weights.h"
#include "pipeline/make_plan.h"
#include "pipeline/phase_requests.h"
#include "pipeline/validate_request.h"
#include "plan/planner.h"
#include "plan/proof.h"
#include "tests/fixtures.h"
#include "tests/tiny_refiner.h"

namespace snug {
namespace {

struct Made {
  std::vector<float> picture;
  uint64_t arena_bytes = 0;
};

// Plans and runs with exactly this much arena: the process beside it is not what is tested here.
class Bench {
 public:
  explicit Bench(const RequestFields& fields)
      : model_(open_model(fields)), request_(validate_request(fields, *model_, cpu_backend())) {}

  PlannedRun plan(uint64_t arena_bytes, uint64_t scratch_file_bytes, bool& fits) const {
    PlanAttempt attempt = try_plan(request_, *model_, cpu_backend(), {});
    PlannedRun run = std::move(attempt.run);
    run.kernels = std::make_unique<KernelSet>(cpu_backend());
    PlanOutcome outcome = make_plan(phase_requests(request_, model_->description, run), *run.kernels,
                                    {arena_bytes, scratch_file_bytes}, {});
    fits = outcome.fits;
    run.plan = std::move(outcome.plan);
    return run;
  }

  Made make(const PlannedRun& run) const {
    const Cancellation never;
    const auto executor = load_weights(run, *model_, never);
    const Conditioning conditioning = encode_text(run, request_, *model_, *executor);
    BatchNoise noise = noise_of(request_);
    const HostTensor latents = denoise(run, request_, *model_, conditioning, noise, *executor, {});
    const HostTensor images = decode_latents(run, request_, *model_, latents, *executor);
    EXPECT_EQ(executor->arena().high_water_bytes(), run.plan.arena_bytes);
    const std::span<const float> values = images.floats();
    return {{values.begin(), values.end()}, run.plan.arena_bytes};
  }

 private:
  std::shared_ptr<const Model> model_;
  Request request_;
};

void expect_same_picture_for_every_budget(const RequestFields& fields, uint64_t scratch_file_bytes) {
  const Bench bench(fields);
  bool fits = false;
  const PlannedRun free_run = bench.plan(UINT64_MAX, 0, fits);
  ASSERT_TRUE(fits);
  ASSERT_EQ(prove(free_run.plan).fault, "");
  const Made expected = bench.make(free_run);
  const PlannedRun least = bench.plan(0, scratch_file_bytes, fits);
  ASSERT_FALSE(fits);
  const uint64_t floor = least.plan.arena_bytes, top = free_run.plan.arena_bytes;
  ASSERT_LT(floor, top - top / 20) << "measures should save something";
  std::set<uint64_t> tried;
  constexpr int kBudgets = 8;
  for (int i = 0; i < kBudgets; ++i) {
    const uint64_t budget = floor + (top - floor) * static_cast<uint64_t>(i * i) / (kBudgets * kBudgets);
    const PlannedRun run = bench.plan(budget, scratch_file_bytes, fits);
    ASSERT_TRUE(fits) << budget << " of " << floor << " to " << top;
    EXPECT_LE(run.plan.arena_bytes, budget);
    ASSERT_EQ(prove(run.plan).fault, "") << budget;
    const Made made = bench.make(run);
    EXPECT_TRUE(made.picture == expected.picture) << "budget " << budget;
    tried.insert(made.arena_bytes);
  }
  EXPECT_GE(tried.size(), 4u) << "budgets should lead to different plans";
}

RequestFields landscape() {
  RequestFields fields;
  fields.prompt = "a red sailboat on the sea";
  fields.seed = 11;
  fields.steps = 3;
  fields.width = 256;
  fields.height = 192;
  return fields;
}

TEST(AnyBudget, TheEmbeddedModelMakesTheSamePicture) { expect_same_picture_for_every_budget(landscape(), 0); }

TEST(AnyBudget, ABatchMakesTheSamePictures) {
  RequestFields fields = landscape();
  fields.batch = 2;
  fields.width = 128;
  fields.steps = 2;
  expect_same_picture_for_every_budget(fields, 0);
}

TEST(AnyBudget, SpillingMakesTheSamePicture) {
  expect_same_picture_for_every_budget(landscape(), uint64_t{1} << 30);
}

TEST(AnyBudget, RealArchitecturesMakeTheSamePicture) {
  RequestFields fields = landscape();
  fields.model = testing::fixtures_dir() + "/sd15-tiny/model";
  fields.width = 128;
  fields.height = 128;
  expect_same_picture_for_every_budget(fields, 0);
}

TEST(AnyBudget, TwoTextEncodersMakeTheSamePicture) {
  RequestFields fields = landscape();
  fields.model = testing::fixtures_dir() + "/sdxl-tiny";
  fields.width = 128;
  fields.height = 128;
  expect_same_picture_for_every_budget(fields, 0);
}

// Half of a picture, beside which the other half is held.
TEST(AnyBudget, RepaintingWithTwoTextEncodersMakesTheSamePicture) {
  RequestFields fields = landscape();
  fields.model = testing::fixtures_dir() + "/sdxl-tiny";
  fields.width = 128;
  fields.height = 128;
  Picture mask{128, 128, std::vector<uint8_t>(size_t{3} * 128 * 128), {}};
  std::fill_n(mask.rgb.begin(), mask.rgb.size() / 2, uint8_t{255});
  const std::vector<std::byte> bytes = encode_picture(mask, PictureFormat::kPng);
  fields.mask = view_memory("mask", bytes);
  fields.image = open_file(testing::fixtures_dir() + "/img/rgb.png");
  expect_same_picture_for_every_budget(fields, 0);
}

// What another model began, with the second text encoder alone.
TEST(AnyBudget, ARefinerMakesTheSamePicture) {
  const TemporaryFolder place;
  testing::write_tiny_refiner(place.path("refiner"));
  RequestFields fields = landscape();
  fields.model = place.path("refiner");
  fields.width = 128;
  fields.height = 128;
  fields.steps = 6;
  fields.denoising_start = 0.5;
  fields.image = open_file(testing::fixtures_dir() + "/img/rgb.png");
  expect_same_picture_for_every_budget(fields, 0);
}

// What is streamed gets its updates in each run anew, in slices of any rows.
TEST(AnyBudget, WithLorasTheSamePicture) {
  RequestFields fields = landscape();
  fields.model = testing::fixtures_dir() + "/sd15-tiny/model";
  fields.lora_folder = testing::fixtures_dir() + "/lora";
  fields.loras = {"kohya:0.5"};
  fields.prompt += " <lora:peft:0.7>";
  fields.width = 128;
  fields.height = 128;
  expect_same_picture_for_every_budget(fields, 0);
}

TEST(AnyBudget, Bf16MakesTheSamePicture) {
  const std::vector<DType> available = cpu_backend().precisions();
  if (std::find(available.begin(), available.end(), DType::kBF16) == available.end()) {
    GTEST_SKIP() << "this machine does not compute in bf16";
  }
  RequestFields fields = landscape();
  fields.precision = "bf16";
  expect_same_picture_for_every_budget(fields, 0);
}

TEST(AnyBudget, ThreadsDoNotMatterEither) {
  const Bench bench(landscape());
  bool fits = false;
  const int before = thread_count();
  std::vector<std::vector<float>> pictures;
  for (const int threads : {1, 2, 4}) {
    set_thread_count(threads);
    const PlannedRun least = bench.plan(0, 0, fits);
    pictures.push_back(bench.make(least).picture);
  }
  set_thread_count(before);
  EXPECT_TRUE(pictures[0] == pictures[1]);
  EXPECT_TRUE(pictures[0] == pictures[2]);
}

}  // namespace
}  // namespace snug
