// What a server does with runs beside what the command line does: several pictures of different prompts in
// one batch, one plan for many runs, going on from a checkpoint. The pictures must be those that each request
// makes alone, bit for bit.
#include "pipeline/kept_run.h"

#include <map>

#include <gtest/gtest.h>

#include "base/cancellation.h"
#include "base/error.h"
#include "pipeline/encode_text.h"
#include "pipeline/generate.h"
#include "pipeline/run_checkpoint.h"
#include "tests/fixtures.h"

namespace snug {
namespace {

RequestFields fields_of(const std::string& prompt, uint64_t seed) {
  RequestFields fields;
  fields.prompt = prompt;
  fields.negative_prompt = "blurry";
  fields.seed = seed;
  fields.width = fields.height = 64;
  fields.steps = 5;
  fields.keep_weights = true;
  return fields;
}

std::vector<std::vector<std::byte>> pictures(const RequestFields& fields,
                                             const GenerateOptions& options = {}) {
  return generate(fields, options).pictures;
}

class Store final : public ConditioningStore {
 public:
  std::shared_ptr<const EncodedPrompt> find(const std::string& key) override {
    const auto found = entries.find(key);
    if (found == entries.end()) return nullptr;
    ++hits;
    return found->second;
  }
  void keep(const std::string& key, std::shared_ptr<const EncodedPrompt> prompt) override {
    entries.emplace(key, std::move(prompt));
  }
  std::map<std::string, std::shared_ptr<const EncodedPrompt>> entries;
  int hits = 0;
};

TEST(KeptRun, ASecondRunOfTheSameShapeNeitherPlansNorReadsWeights) {
  KeptRun kept;
  GenerateOptions options;
  options.kept = &kept;
  options.model = open_model({});
  EXPECT_EQ(pictures(fields_of("a red sailboat", 1), options), pictures(fields_of("a red sailboat", 1)));
  const Executor* const executor = kept.executor.get();
  const GenerateResult second = generate(fields_of("a castle", 2), options);
  EXPECT_EQ(kept.executor.get(), executor);
  EXPECT_EQ(second.report.read_bytes, 0U);
  EXPECT_EQ(second.pictures, pictures(fields_of("a castle", 2)));
}

TEST(KeptRun, ARunOfAnotherShapeMakesItsOwn) {
  KeptRun kept;
  GenerateOptions options;
  options.kept = &kept;
  options.model = open_model({});
  generate(fields_of("a castle", 1), options);
  for (const auto& change : std::vector<void (*)(RequestFields&)>{
           [](RequestFields& f) { f.steps = 6; }, [](RequestFields& f) { f.width = 96; },
           [](RequestFields& f) { f.batch = 2; }, [](RequestFields& f) { f.guidance_scale = 1; },
           [](RequestFields& f) { f.sampler = "euler_a"; }}) {
    RequestFields fields = fields_of("a castle", 3);
    change(fields);
    EXPECT_EQ(pictures(fields, options), pictures(fields));
  }
}

TEST(KeptRun, ACancelledRunLeavesThePlanForTheNext) {
  KeptRun kept;
  GenerateOptions options;
  Cancellation cancellation;
  options.kept = &kept;
  options.model = open_model({});
  options.cancellation = &cancellation;
  options.progress = [&](const Progress& progress) {
    if (progress.done == 2) cancellation.request();
  };
  EXPECT_THROW(generate(fields_of("a castle", 1), options), Error);
  ASSERT_NE(kept.executor, nullptr);
  cancellation.withdraw();
  options.progress = nullptr;
  EXPECT_EQ(pictures(fields_of("a castle", 1), options), pictures(fields_of("a castle", 1)));
}

TEST(Pictures, OfDifferentPromptsInOneBatchAreThoseThatEachPromptMakesAlone) {
  RequestFields together = fields_of("", 0);
  together.negative_prompt.reset();
  const std::vector<PictureFields> wanted = {{"a red sailboat", "blurry", 7, 0, 1},
                                             {"a castle on a hill", "", 8, 0, 1},
                                             {"a red sailboat", "blurry", 9, 0, 1}};
  together.pictures = wanted;
  const auto made = pictures(together);
  ASSERT_EQ(made.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    RequestFields alone = fields_of(wanted[i].prompt, wanted[i].seed);
    alone.negative_prompt = wanted[i].negative_prompt;
    EXPECT_EQ(made[i], pictures(alone).front()) << i;
  }
}

TEST(Pictures, OfPromptsWithDifferentNumbersOfChunksAreRefused) {
  RequestFields fields = fields_of("", 0);
  std::string long_prompt;
  for (int i = 0; i < 100; ++i) long_prompt += "tree, ";
  fields.pictures = {{"a castle", "", 1, 0, 1}, {long_prompt, "", 2, 0, 1}};
  EXPECT_THROW(generate(fields, {}), Error);
}

TEST(ConditioningStore, WhatItHasIsNotEncodedAgain) {
  Store store;
  GenerateOptions options;
  options.conditioning = &store;
  const auto first = generate(fields_of("a castle", 1), options);
  const auto again = generate(fields_of("a castle", 1), options);
  EXPECT_EQ(first.pictures, again.pictures);
  EXPECT_EQ(store.hits, 1);
  EXPECT_EQ(again.report.phases.front().name, "encode_text");
  EXPECT_EQ(again.report.phases.front().seconds, 0);
  RequestFields other = fields_of("a castle", 1);
  other.clip_skip = 2;
  generate(other, options);
  EXPECT_EQ(store.hits, 1) << "another layer's states are others";
}

RequestFields xl_fields_of(const std::string& prompt, uint64_t seed) {
  RequestFields fields = fields_of(prompt, seed);
  fields.model = testing::fixtures_dir() + "/sdxl-tiny";
  fields.steps = 2;
  return fields;
}

// Its prompts have a vector beside their states, and none is not an empty one.
TEST(ConditioningStore, OfTwoTextEncodersHasAllThatAPromptBecame) {
  Store store;
  GenerateOptions options;
  options.conditioning = &store;
  RequestFields fields = xl_fields_of("a red circle", 1);
  const auto expected = pictures(fields);
  EXPECT_EQ(pictures(fields, options), expected);
  EXPECT_EQ(pictures(fields, options), expected);
  EXPECT_EQ(store.hits, 1);
  fields.negative_prompt = "";
  const auto empty = pictures(fields, options);
  fields.negative_prompt.reset();
  EXPECT_NE(pictures(fields, options), empty);
  fields.prompt_2 = "snow";
  pictures(fields, options);
  EXPECT_EQ(store.hits, 1) << "other prompts are others";
}

TEST(Pictures, OfDifferentSecondPromptsInOneBatchAreThoseThatEachMakesAlone) {
  RequestFields together = xl_fields_of("", 0);
  const std::vector<PictureFields> wanted = {{"a red circle", "blurry", 7, 0, 1, "snow", "rain"},
                                             {"a red circle", std::nullopt, 8, 0, 1},
                                             {"a red circle", "", 9, 0, 1}};
  together.pictures = wanted;
  const auto made = pictures(together);
  ASSERT_EQ(made.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    RequestFields alone = xl_fields_of(wanted[i].prompt, wanted[i].seed);
    alone.negative_prompt = wanted[i].negative_prompt;
    alone.prompt_2 = wanted[i].prompt_2;
    alone.negative_prompt_2 = wanted[i].negative_prompt_2;
    EXPECT_EQ(made[i], pictures(alone).front()) << i;
  }
}

class Checkpoints : public ::testing::TestWithParam<const char*> {
 protected:
  RequestFields fields() const {
    RequestFields fields = fields_of("a castle", 11);
    fields.sampler = GetParam();
    fields.batch = 2;
    return fields;
  }
};

TEST_P(Checkpoints, ARunThatGoesOnFromAnyOfThemGivesTheBitsOfAnUninterruptedOne) {
  std::vector<std::vector<std::byte>> saved;
  GenerateOptions options;
  options.checkpoint_due = [](int) { return true; };
  options.checkpoint = [&](const RunCheckpoint& checkpoint) {
    saved.push_back(checkpoint_bytes(checkpoint));
  };
  const auto expected = pictures(fields(), options);
  ASSERT_GE(saved.size(), 4U);
  for (const auto& bytes : saved) {
    const RunCheckpoint checkpoint = read_checkpoint(*view_memory("checkpoint", bytes));
    GenerateOptions going_on;
    going_on.resume = &checkpoint;
    EXPECT_EQ(pictures(fields(), going_on), expected) << checkpoint.calls_done;
  }
}

TEST_P(Checkpoints, APictureOfABatchGoesOnAlone) {
  std::optional<RunCheckpoint> saved;
  GenerateOptions options;
  options.checkpoint_due = [](int done) { return done == 3; };
  options.checkpoint = [&](const RunCheckpoint& checkpoint) { saved = checkpoint; };
  const auto expected = pictures(fields(), options);
  ASSERT_TRUE(saved.has_value());
  const RunCheckpoint second = checkpoint_of_pictures(*saved, 1, 1);
  RequestFields alone = fields();
  alone.batch.reset();
  alone.pictures = {{"a castle", "blurry", 12, 1, 2}};
  GenerateOptions going_on;
  going_on.resume = &second;
  const auto made = pictures(alone, going_on);
  EXPECT_EQ(made.front(), expected[1]);
}

INSTANTIATE_TEST_SUITE_P(Samplers, Checkpoints,
                         ::testing::Values("dpmpp_2m_karras", "euler_a", "unipc", "heun", "dpmpp_sde", "ddim",
                                           "lms"),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(DamagedCheckpoints, AreRefusedWithAnError) {
  std::vector<std::byte> bytes;
  GenerateOptions options;
  options.checkpoint_due = [](int done) { return done == 2; };
  options.checkpoint = [&](const RunCheckpoint& checkpoint) { bytes = checkpoint_bytes(checkpoint); };
  generate(fields_of("a castle", 1), options);
  ASSERT_FALSE(bytes.empty());
  for (size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 60) {
    const auto torn = std::vector<std::byte>(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_THROW(read_checkpoint(*view_memory("checkpoint", torn)), Error) << length;
  }
  // Whole, but of another request.
  const RunCheckpoint checkpoint = read_checkpoint(*view_memory("checkpoint", bytes));
  GenerateOptions going_on;
  going_on.resume = &checkpoint;
  RequestFields other = fields_of("a castle", 1);
  other.width = 96;
  EXPECT_THROW(generate(other, going_on), Error);
  other = fields_of("a castle", 1);
  other.batch = 2;
  EXPECT_THROW(generate(other, going_on), Error);
}

}  // namespace
}  // namespace snug
