#include "monitor/statistics/pareto.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace snug {
namespace {

void check_points(std::span<const Costs> points) {
  for (const Costs& point : points) {
    SNUG_CHECK(point.size() == points.front().size(), "as many costs for each point");
    for (double cost : point) SNUG_CHECK(std::isfinite(cost) && cost >= 0, "finite costs from 0 on");
  }
}

bool dominates(const Costs& a, const Costs& b) {
  bool better = false;
  for (size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
    better = better || a[k] < b[k];
  }
  return better;
}

}  // namespace

std::vector<size_t> pareto_front(std::span<const Costs> points) {
  check_points(points);
  std::vector<size_t> front;
  for (size_t i = 0; i < points.size(); ++i)
    if (std::none_of(points.begin(), points.end(),
                     [&](const Costs& other) { return dominates(other, points[i]); }))
      front.push_back(i);
  return front;
}

std::vector<Score> weighted_scores(std::span<const Costs> points, std::span<const double> weights) {
  check_points(points);
  double sum = 0;
  for (double weight : weights) {
    SNUG_CHECK(std::isfinite(weight) && weight >= 0, "finite weights from 0 on");
    sum += weight;
  }
  SNUG_CHECK(points.empty() || (weights.size() == points.front().size() && sum > 0),
             "a weight for each criterion");
  std::vector<Score> scores(points.size());
  for (size_t i = 0; i < points.size(); ++i) scores[i].index = i;
  for (size_t k = 0; k < weights.size(); ++k) {
    double least = INFINITY, largest = 0;
    for (const Costs& point : points) {
      least = std::min(least, point[k]);
      largest = std::max(largest, point[k]);
    }
    for (size_t i = 0; i < points.size(); ++i) {
      const double cost = points[i][k];
      const double relative = least > 0 ? cost / least : largest > 0 ? 1 + cost / largest : 1;
      scores[i].parts.push_back(weights[k] / sum * relative);
      scores[i].score += scores[i].parts.back();
    }
  }
  std::stable_sort(scores.begin(), scores.end(),
                   [](const Score& a, const Score& b) { return a.score < b.score; });
  return scores;
}

}  // namespace snug
