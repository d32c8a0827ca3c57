#include "monitor/statistics/pareto.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "monitor/statistics/repeatable_random.h"

namespace snug {
namespace {

std::vector<Costs> random_points(RepeatableRandom& random, size_t count, size_t criteria) {
  std::vector<Costs> points(count, Costs(criteria));
  // Few values, so that there are ties and equal points.
  for (Costs& point : points)
    for (double& cost : point) cost = static_cast<double>(random.below(12));
  return points;
}

TEST(Pareto, FrontOfTwoCriteriaIsTheStaircase) {
  RepeatableRandom random(90);
  for (int round = 0; round < 50; ++round) {
    const std::vector<Costs> points = random_points(random, 1 + random.below(60), 2);
    // The second implementation: sorted by the first cost, whoever is below all second costs so far is on it.
    std::vector<size_t> order(points.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return points[a] < points[b]; });
    std::vector<size_t> expected;
    const Costs* last = nullptr;
    for (size_t i : order)
      if (last == nullptr || points[i][1] < (*last)[1] || points[i] == *last) {
        last = &points[i];
        expected.push_back(i);
      }
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(pareto_front(points), expected);
  }
}

TEST(Pareto, WhatIsLeftOutIsBeatenAndTheBestByAnyWeightsIsOnTheFront) {
  RepeatableRandom random(91);
  for (int round = 0; round < 30; ++round) {
    const std::vector<Costs> points = random_points(random, 200, 3);
    const std::vector<size_t> front = pareto_front(points);
    for (size_t i = 0; i < points.size(); ++i) {
      const bool on = std::find(front.begin(), front.end(), i) != front.end();
      const bool beaten = std::any_of(front.begin(), front.end(), [&](size_t f) {
        return points[f] != points[i] && points[f][0] <= points[i][0] && points[f][1] <= points[i][1] &&
               points[f][2] <= points[i][2];
      });
      EXPECT_NE(on, beaten);
    }
    const std::vector<double> weights = {0.1 + random.uniform(), 0.1 + random.uniform(),
                                         0.1 + random.uniform()};
    const size_t best = weighted_scores(points, weights).front().index;
    EXPECT_NE(std::find(front.begin(), front.end(), best), front.end());
  }
}

TEST(Pareto, ScoresShowWhatEachCriterionAdds) {
  const std::vector<Costs> points = {{10, 200, 0}, {20, 100, 1}, {40, 400, 2}};
  const std::vector<Score> scores = weighted_scores(points, std::vector<double>{2, 1, 1});
  EXPECT_EQ(scores[0].index, 0U);
  EXPECT_EQ(scores[0].parts, (Costs{0.5, 0.5, 0.25}));
  EXPECT_DOUBLE_EQ(scores[0].score, 1.25);
  EXPECT_EQ(scores[1].index, 1U);
  EXPECT_DOUBLE_EQ(scores[1].score, 0.5 * 2 + 0.25 + 0.25 * 1.5);
  EXPECT_DOUBLE_EQ(scores[2].score, 0.5 * 4 + 0.25 * 4 + 0.25 * 2);
  EXPECT_TRUE(pareto_front({}).empty());
  EXPECT_TRUE(weighted_scores({}, std::vector<double>{1}).empty());
}

}  // namespace
}  // namespace snug
