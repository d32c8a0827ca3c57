#include "sampling/beta_quantile.h"

#include <cmath>

namespace snug {
namespace {

// The continued fraction of the incomplete beta function by Lentz's method: Abramowitz and Stegun 26.5.8.
// Converges fast for x below the mean.
double continued_fraction(double x, double a, double b) {
  constexpr int kMostTerms = 500;
  constexpr double kTiny = 1e-300;
  const auto away_from_zero = [](double value) { return std::fabs(value) < kTiny ? kTiny : value; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double result = d;
  for (int m = 1; m < kMostTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    result *= d * c;
    if (std::fabs(d * c - 1) < 1e-16) break;
  }
  return result;
}

// P(X <= x) for x <= 1/2.
double lower_half_cdf(double x, double shape) {
  if (x <= 0) return 0;
  const double log_beta = 2 * std::lgamma(shape) - std::lgamma(2 * shape);
  const double front = std::exp(shape * (std::log(x) + std::log1p(-x)) - log_beta);
  return front * continued_fraction(x, shape, shape) / shape;
}

}  // namespace

double symmetric_beta_quantile(double probability, double shape) {
  if (!(probability > 0)) return 0;
  if (probability >= 1) return 1;
  if (probability > 0.5) return 1 - symmetric_beta_quantile(1 - probability, shape);
  double low = 0;
  double high = 0.5;
  // Bisection: slow and sure; a schedule needs one quantile for each step.
  while (true) {
    const double middle = (low + high) / 2;
    if (middle == low || middle == high) return middle;
    (lower_half_cdf(middle, shape) < probability ? low : high) = middle;
  }
}

}  // namespace snug
