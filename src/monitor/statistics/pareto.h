// Which of several configurations are not beaten in everything, and which is best by given weights. Called by
// the optimiser with time, memory and loss of quality of each; the weights are shown with the result.
//
// All criteria are costs, the less the better, finite and not negative; anything else is a bug. Meant for a
// few hundred points: pairs are compared. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace snug {

using Costs = std::vector<double>;  // one for each criterion, the same number for every point

// Ascending indices of the points that no other point dominates: is no worse in all criteria and better in
// one. Equal points stay together.
std::vector<size_t> pareto_front(std::span<const Costs> points);

struct Score {
  size_t index = 0;
  double score = 0;  // sum of parts; 1 is a point that is best in everything
  Costs parts;       // weight share x cost / best cost, of each criterion
};

// Best first, ties by index. A criterion's cost is divided by the best (least) of all points; where that is
// 0, which nothing can be divided by, it is 1 + cost / largest, or 1 if all are 0. Weights are not negative,
// their sum is above 0; they are divided by it.
std::vector<Score> weighted_scores(std::span<const Costs> points, std::span<const double> weights);

}  // namespace snug
