#include "monitor/statistics/autocorrelation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "monitor/statistics/normal_distribution.h"

namespace snug {
namespace {

// Beyond this a series is one long swing; the factor is then 39, and no test on it finds anything.
constexpr double kMostCorrelation = 0.95;
// Correlations of ranks count from this level of significance on, as in Hamed and Rao.
constexpr double kLagSignificance = 0.05;
// A shift spoils k differences at lag k; a sixth left out bears three shifts in a series of 72.
constexpr size_t kLeftOut = 6;
constexpr size_t kLeastForLag4 = 72;

// Of a centred series.
double autocorrelation_at(std::span<const double> centred, size_t lag, double sum_of_squares) {
  double sum = 0;
  for (size_t i = lag; i < centred.size(); ++i) sum += centred[i] * centred[i - lag];
  return sum / sum_of_squares;
}

// The mean square of differences at `lag`, without the largest sixth.
double trimmed_square(std::span<const double> values, size_t lag) {
  std::vector<double> squares;
  squares.reserve(values.size());
  for (size_t i = lag; i < values.size(); ++i) {
    const double difference = values[i] - values[i - lag];
    squares.push_back(difference * difference);
  }
  const size_t kept = squares.size() - squares.size() / kLeftOut;
  std::nth_element(squares.data(), squares.data() + kept - 1, squares.data() + squares.size());
  double sum = 0;
  for (size_t i = 0; i < kept; ++i) sum += squares[i];
  return sum / static_cast<double>(kept);
}

}  // namespace

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t end = first + 1;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (size_t i = first; i < end; ++i) ranks[order[i]] = static_cast<double>(first + end + 1) / 2;
    first = end;
  }
  return ranks;
}

double trend_variance_factor(std::span<const double> residuals) {
  const auto n = static_cast<double>(residuals.size());
  if (residuals.size() < 4) return 1;
  std::vector<double> centred = average_ranks(residuals);
  double squares = 0;
  for (double& rank : centred) {
    rank -= (n + 1) / 2;
    squares += rank * rank;
  }
  if (squares == 0) return 1;
  const double bound = normal_quantile(1 - kLagSignificance / 2) / std::sqrt(n);
  const double first = autocorrelation_at(centred, 1, squares);
  const double corrected = std::clamp(first + (3 + 4 * first) / n, 0.0, kMostCorrelation);
  const double rho = first > bound / 2 ? corrected : 0;
  double measured = 0, modelled = 0, power = 1;
  for (size_t lag = 1; lag + 2 < residuals.size(); ++lag) {
    const double i = static_cast<double>(lag);
    const double weight = (n - i) * (n - i - 1) * (n - i - 2);
    power *= rho;
    modelled += weight * power;
    // Lags beyond a quarter of the series have too few pairs to be measured.
    if (lag > residuals.size() / 4) continue;
    const double r = autocorrelation_at(centred, lag, squares);
    if (std::abs(r) > bound) measured += weight * r;
  }
  return std::max(1.0, 1 + 2 * std::max(measured, modelled) / (n * (n - 1) * (n - 2)));
}

double level_variance_factor(std::span<const double> values) {
  if (values.size() < 10) return 1;
  const double d1 = trimmed_square(values, 1), d2 = trimmed_square(values, 2), d4 = trimmed_square(values, 4);
  // Of AR(1) the mean square at lag k is 2 var (1 - rho^k), hence d2 / d1 = 1 + rho, d4 / d2 = 1 + rho^2. The
  // second is what noise of measurement on top of a slow swing leaves to see.
  const double near = d1 > 0 ? d2 / d1 - 1 : 0;
  const double far = d2 > 0 ? std::sqrt(std::max(0.0, d4 / d2 - 1)) : 0;
  const double error = 1 / std::sqrt(static_cast<double>(values.size()));
  double rho = std::max(near, 0.0);
  if (values.size() >= kLeastForLag4 && far * far > 3 * error) rho = std::max(rho, far);
  rho = std::min(rho + error, kMostCorrelation);
  return (1 + rho) / (1 - rho);
}

}  // namespace snug
