// The quantile of the beta distribution, for the "beta" sigma schedule (schedule.cc).
#pragma once

namespace snug {

// x with P(X <= x) = probability for X distributed as beta(shape, shape), shape > 0, to about 1e-15.
// 0 and 1 for probabilities outside (0, 1).
double symmetric_beta_quantile(double probability, double shape);

}  // namespace snug
