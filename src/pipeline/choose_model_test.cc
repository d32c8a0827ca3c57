// The choice between models and sizes: what does not fit is said with what would, what cannot be used comes
// last with its reason, and loading counts as it was measured.
#include "pipeline/choose_model.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/units.h"
#include "models/embedded_model.h"
#include "pipeline/fit_request.h"
#include "pipeline/open_model.h"
#include "pipeline/validate_request.h"

namespace snug {
namespace {

const std::string kEmbedded{kEmbeddedModelName};

RequestFields asked(const std::string& memory) {
  RequestFields fields;
  fields.prompt = "a castle";
  fields.width = fields.height = 128;
  fields.steps = 4;
  fields.memory = memory;
  return fields;
}

TEST(ChooseModel, TheLargestSizeFitsTheBudgetAndTheNextDoesNot) {
  const RequestFields fields = asked("120MiB");
  const ModelChoice choice = choose_model({kEmbedded}, fields, cpu_backend(), {}, {}).front();
  ASSERT_TRUE(choice.asked.has_value());
  ASSERT_TRUE(choice.largest.has_value());
  EXPECT_TRUE(choice.suits());
  EXPECT_GE(choice.largest->width, choice.asked->width);
  EXPECT_LE(choice.largest->peak_bytes, 120 * kMiB);
  EXPECT_GT(choice.largest->seconds, 0);
  const auto model = open_model(fields);
  const int64_t limit = 3 * model->description.native_size_px;
  const int64_t step = 8 * model->description.latent_factor;
  if (choice.largest->width + step > limit) return;
  RequestFields larger = fields;
  larger.width = larger.height = choice.largest->width + step;
  EXPECT_FALSE(try_plan(validate_request(larger, *model, cpu_backend()), *model, cpu_backend(), {}).fits);
}

TEST(ChooseModel, WhatDoesNotFitSaysWhatItNeeds) {
  RequestFields fields = asked("56MiB");
  fields.width = fields.height = 512;
  const ModelChoice choice = choose_model({kEmbedded}, fields, cpu_backend(), {}, {}).front();
  EXPECT_FALSE(choice.asked.has_value());
  EXPECT_FALSE(choice.suits());
  EXPECT_GT(choice.smallest_budget_bytes, 56 * kMiB);
  if (choice.largest.has_value()) {
    EXPECT_LT(choice.largest->width, 512);
  }
}

TEST(ChooseModel, WhatCannotBeUsedComesLastWithItsReason) {
  const auto choices =
      choose_model({"/nowhere/model.safetensors", kEmbedded}, asked("1GiB"), cpu_backend(), {}, {});
  ASSERT_EQ(choices.size(), 2U);
  EXPECT_EQ(choices[0].name, kEmbedded);
  EXPECT_FALSE(choices[1].problem.empty());
}

TEST(ChooseModel, LoadingCountsAsItWasMeasured) {
  RequestFields fields = asked("1GiB");
  fields.time_seconds = 1000;
  const std::string identity = open_model(fields)->identity;
  KnownOfMachine known;
  const ModelChoice never = choose_model({kEmbedded}, fields, cpu_backend(), {}, known).front();
  EXPECT_FALSE(never.load_seconds.has_value());
  EXPECT_EQ(never.in_time, std::optional(true));
  known.loads[identity] = {{2000, 1, 1, 128, 128}};
  const ModelChoice slow = choose_model({kEmbedded}, fields, cpu_backend(), {}, known).front();
  EXPECT_DOUBLE_EQ(slow.load_seconds.value_or(0), 2000);
  EXPECT_EQ(slow.in_time, std::optional(false));
  EXPECT_FALSE(slow.suits());
}

TEST(ChooseModel, ARequestThatIsWrongIsRefused) {
  RequestFields fields = asked("1GiB");
  fields.steps = -1;
  EXPECT_THROW(choose_model({kEmbedded}, fields, cpu_backend(), {}, {}), Error);
}

}  // namespace
}  // namespace snug
