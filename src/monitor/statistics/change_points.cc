#include "monitor/statistics/change_points.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "monitor/statistics/autocorrelation.h"
#include "monitor/statistics/normal_distribution.h"
#include "monitor/statistics/quantiles.h"

namespace snug {
namespace {

// Less than half of kLeastStretch on either side, so that the median is one of the stretch.
constexpr size_t kNeighbours = 3;
constexpr double kClip = 3;

// P(sup |Brownian bridge| > x), Kolmogorov (1933).
double kolmogorov_p_value(double x) {
  if (x < 0.3) return 1;
  double sum = 0;
  for (int k = 1; k <= 20; ++k) sum += (k % 2 == 1 ? 2 : -2) * std::exp(-2.0 * k * k * x * x);
  return std::clamp(sum, 0.0, 1.0);
}

struct Split {
  size_t index = 0;
  double p_value = 1;
};

// The values with what stands out from its neighbours brought in to kClip deviations from their median. A
// shift stays as sharp as it is: a median of neighbours keeps edges.
std::vector<double> clipped(std::span<const double> values) {
  const size_t n = values.size();
  std::vector<double> centres(n), distances(n), result(n);
  for (size_t i = 0; i < n; ++i) {
    const size_t first = i < kNeighbours ? 0 : i - kNeighbours, end = std::min(n, i + kNeighbours + 1);
    centres[i] = *quantile(values.subspan(first, end - first), 0.5);
    distances[i] = std::abs(values[i] - centres[i]);
  }
  const double reach = kClip * 1.4826 * *quantile(distances, 0.5);
  for (size_t i = 0; i < n; ++i) result[i] = std::clamp(values[i], centres[i] - reach, centres[i] + reach);
  return result;
}

// Where a stretch is shifted most. The scale is the deviation about the means on either side: about their
// common mean it would hold the shift itself, and a large shift would hide.
Split best_split(std::span<const double> stretch, double variance_factor) {
  const auto n = static_cast<double>(stretch.size());
  double mean = 0, squares = 0;
  for (double value : stretch) mean += value / n;
  for (double value : stretch) squares += (value - mean) * (value - mean);
  if (squares == 0) return {};
  Split best;
  double sum = 0, farthest = 0;
  for (size_t i = 0; i + kLeastStretch < stretch.size(); ++i) {
    sum += stretch[i] - mean;
    if (i + 1 < kLeastStretch || std::abs(sum) <= farthest) continue;
    farthest = std::abs(sum);
    best.index = i + 1;
  }
  if (best.index == 0) return {};
  const auto m = static_cast<double>(best.index);
  // Rounding may leave anything of a clean step's 0.
  const double within = std::max(squares - farthest * farthest * n / (m * (n - m)), 1e-12 * squares);
  // The sums' scale is sqrt(n) deviations, of which there are squares / n.
  best.p_value = kolmogorov_p_value(farthest / std::sqrt(within * variance_factor));
  return best;
}

class Segmentation {
 public:
  Segmentation(std::span<const double> values, double significance)
      : values_(values),
        clipped_(clipped(values)),
        significance_(significance),
        factor_(level_variance_factor(values)) {}

  std::vector<ChangePoint> run() {
    split(0, values_.size());
    std::sort(found_.begin(), found_.end());
    return confirmed();
  }

 private:
  void split(size_t first, size_t end) {
    if (end - first < kLeastForChangePoints) return;
    const Split at = best_split(std::span(clipped_).subspan(first, end - first), factor_);
    if (at.index == 0 || at.p_value >= significance_) return;
    const size_t index = first + at.index;
    found_.push_back(index);
    split(first, index);
    split(index, end);
  }

  // What holds between its final neighbours too. The weakest goes first, for its stretches join.
  std::vector<ChangePoint> confirmed() {
    for (;;) {
      std::vector<ChangePoint> changes;
      for (size_t i = 0; i < found_.size(); ++i) changes.push_back(between_neighbours(i));
      const auto weakest = std::max_element(
          changes.begin(), changes.end(), [](const auto& a, const auto& b) { return a.p_value < b.p_value; });
      if (weakest == changes.end() || weakest->p_value < significance_) return changes;
      found_.erase(found_.begin() + (weakest - changes.begin()));
    }
  }

  ChangePoint between_neighbours(size_t i) const {
    const size_t first = i == 0 ? 0 : found_[i - 1];
    const size_t end = i + 1 == found_.size() ? values_.size() : found_[i + 1];
    const auto before = values_.subspan(first, found_[i] - first);
    const auto after = values_.subspan(found_[i], end - found_[i]);
    return {.index = found_[i],
            .level_before = *quantile(before, 0.5),
            .level_after = *quantile(after, 0.5),
            .p_value = mann_whitney_p_value(before, after)};
  }

  std::span<const double> values_;
  std::vector<double> clipped_;
  double significance_;
  double factor_;
  std::vector<size_t> found_;
};

}  // namespace

double mann_whitney_p_value(std::span<const double> first, std::span<const double> second,
                            double variance_factor) {
  SNUG_CHECK(!first.empty() && !second.empty() && variance_factor >= 1, "two samples");
  std::vector<double> both(first.begin(), first.end());
  both.insert(both.end(), second.begin(), second.end());
  const std::vector<double> ranks = average_ranks(both);
  const auto n = static_cast<double>(both.size()), m = static_cast<double>(first.size());
  double sum = 0, squares = 0;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const double centred = ranks[i] - (n + 1) / 2;
    if (i < first.size()) sum += centred;
    squares += centred * centred;
  }
  // The variance of a sum of m ranks drawn without putting back; exact with ties.
  const double variance = m * (n - m) / (n * (n - 1)) * squares * variance_factor;
  if (variance == 0) return 1;
  return two_sided_p_value(std::max(0.0, std::abs(sum) - 0.5) / std::sqrt(variance));
}

std::optional<std::vector<ChangePoint>> find_change_points(std::span<const double> values,
                                                           const ChangePointOptions& options) {
  SNUG_CHECK(options.significance > 0 && options.significance < 1 && options.least_shift >= 0,
             "a significance between 0 and 1");
  if (values.size() < kLeastForChangePoints) return std::nullopt;
  std::vector<ChangePoint> changes = Segmentation(values, options.significance).run();
  std::erase_if(changes, [&](const ChangePoint& change) {
    return std::abs(change.level_after - change.level_before) < options.least_shift;
  });
  return changes;
}

}  // namespace snug
