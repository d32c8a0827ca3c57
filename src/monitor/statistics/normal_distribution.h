// The standard normal distribution, for the significance of ranks and the reach of intervals. Called by the
// tests and intervals of this folder. Pure; any thread.
#pragma once

namespace snug {

// P(Z <= z), by the complementary error function: to about 1e-15, also far out in the tails.
double normal_probability(double z);

// P(|Z| >= |z|): the two-sided p-value of a z-score.
double two_sided_p_value(double z);

// z with P(Z <= z) = probability, which lies in (0, 1); anything else is a bug. Wichura's AS 241 (PPND16,
// 1988), to about 1e-15.
double normal_quantile(double probability);

}  // namespace snug
