// What is kept of runs: one run at a time has it, and a second of the same shape gets a place of its own.
#include "jobs/kept_runs.h"

#include <gtest/gtest.h>

namespace snug {
namespace {

TEST(KeptRuns, TwoRunsOfOneShapeHaveTwoPlaces) {
  KeptRuns kept;
  KeptRuns::Slot& first = kept.use("shape");
  EXPECT_TRUE(kept.in_use("shape"));
  KeptRuns::Slot& second = kept.use("shape");
  EXPECT_NE(&first, &second);
  kept.shrink(0);  // nothing of what is in use goes
  kept.used(first, 1);
  EXPECT_TRUE(kept.in_use("shape"));
  kept.used(second, 1);
  EXPECT_FALSE(kept.in_use("shape"));
}

TEST(KeptRuns, ACancellationIsOfOneRunAlone) {
  KeptRuns kept;
  KeptRuns::Slot& first = kept.use("a");
  KeptRuns::Slot& second = kept.use("b");
  first.cancellation.request();
  EXPECT_FALSE(second.cancellation.requested());
  kept.used(first, 0);
  EXPECT_FALSE(kept.use("a").cancellation.requested());
}

TEST(KeptRuns, WhatFailedLeavesNothing) {
  KeptRuns kept;
  kept.used(kept.use("a"), 1);
  EXPECT_EQ(kept.figures().entries, 0);
  EXPECT_EQ(kept.figures().misses, 1);
}

}  // namespace
}  // namespace snug
