// While denoising nothing is allocated: from the start of the first model call to the end of the last one the
// heap is left alone, on every thread, with every sampler.
#include <cstdio>

#include <gtest/gtest.h>

#include "base/parallel.h"
#include "pipeline/denoise.h"
#include "pipeline/encode_text.h"
#include "pipeline/load_weights.h"
#include "pipeline/make_plan.h"
#include "pipeline/open_model.h"
#include "pipeline/validate_request.h"
#include "sampling/sampler_list.h"
#include "tests/count_allocations.h"

namespace snug {
namespace {

using testing::allocation_counts;
using testing::AllocationCounts;

RequestFields small_request() {
  RequestFields fields;
  fields.prompt = "a (red:1.3) sailboat on the sea";
  fields.negative_prompt = "night";
  fields.width = 32;
  fields.height = 32;
  fields.steps = 4;
  fields.seed = 11;
  return fields;
}

// A start picture and a mask over its right half, as validate_request makes them.
void add_picture_and_mask(Request& request) {
  const Shape size{1, 3, request.height, request.width};
  request.image = HostTensor(DType::kF32, size);
  for (size_t i = 0; i < request.image.floats().size(); ++i)
    request.image.floats()[i] = static_cast<float>(i % 200) / 100 - 1;
  request.mask = HostTensor(DType::kF32, Shape{1, 1, request.height, request.width});
  for (size_t i = 0; i < request.mask.floats().size(); ++i)
    request.mask.floats()[i] = i % static_cast<size_t>(request.width) > 20 ? 1.0F : 0.0F;
  request.strength = 0.7;
}

struct Measured {
  AllocationCounts begin, end;
  int calls = 0;
  int64_t own() const { return end.own - begin.own; }
  int64_t own_frees() const { return end.own_frees - begin.own_frees; }
};

Measured measure(const Request& request, const Model& model) {
  const Cancellation cancellation;
  const PlannedRun run = try_plan(request, model, cpu_backend(), {}).run;
  const auto executor = load_weights(run, model, cancellation);
  const Conditioning conditioning = encode_text(run, request, model, *executor);
  BatchNoise noise = noise_of(request);
  DenoiseTrace trace;
  Measured measured;
  const auto sample = [&](int done, int calls, double) {
    if (done == 0) measured.begin = allocation_counts();
    if (done == calls) measured.end = allocation_counts();
    measured.calls = calls;
  };
  DenoiseWatch watch;
  watch.progress = sample;
  watch.trace = &trace;
  denoise(run, request, model, conditioning, noise, *executor, watch);
  return measured;
}

class Allocations : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::kCountsAllocations) GTEST_SKIP() << "sanitizers have a heap of their own";
  }

  static void check(const char* name, const Request& request, const Model& model) {
    const Measured measured = measure(request, model);
    EXPECT_EQ(measured.own(), 0) << name << ", " << measured.calls << " calls";
    EXPECT_EQ(measured.own_frees(), 0) << name;
  }
};

TEST_F(Allocations, AreCounted) {
  const AllocationCounts before = allocation_counts();
  auto* const number = new volatile int(3);
  const AllocationCounts after = allocation_counts();
  EXPECT_EQ(after.own - before.own, 1);
  delete number;
  EXPECT_EQ(allocation_counts().own_frees - before.own_frees, 1);
}

TEST_F(Allocations, AreNoneWithAnySampler) {
  RequestFields fields = small_request();
  const auto model = open_model(fields);
  for (const SamplerInfo& sampler : sampler_list()) {
    const std::string name(sampler.name);
    if (name.find("flow") != std::string::npos) continue;  // not for this model
    fields.sampler = name;
    check(name.c_str(), validate_request(fields, *model, cpu_backend()), *model);
  }
}

TEST_F(Allocations, AreNoneWithBatchesPicturesAndMasks) {
  RequestFields fields = small_request();
  const auto model = open_model(fields);
  fields.batch = 3;
  fields.width = 48;
  fields.guidance_scale = 1;
  check("batch of 3 without guidance", validate_request(fields, *model, cpu_backend()), *model);
  fields = small_request();
  fields.batch = 2;
  Request request = validate_request(fields, *model, cpu_backend());
  add_picture_and_mask(request);
  check("repainting", request, *model);
}

TEST_F(Allocations, AreNoneInBf16) {
  RequestFields fields = small_request();
  fields.precision = "bf16";
  const auto model = open_model(fields);
  check("bf16", validate_request(fields, *model, cpu_backend()), *model);
}

TEST_F(Allocations, AreNoneWithOneThreadAndWithFour) {
  const RequestFields fields = small_request();
  const auto model = open_model(fields);
  const int before = thread_count();
  for (const int threads : {1, 4}) {
    set_thread_count(threads);
    check((std::to_string(threads) + " threads").c_str(), validate_request(fields, *model, cpu_backend()),
          *model);
  }
  set_thread_count(before);
}

}  // namespace
}  // namespace snug
