// What --precision auto is: the element type in which this machine runs the request fastest. Called by
// generate.cc and `snug plan` between validate_request and the plan.
//
// With measured rates: the one whose kernels are predicted to take less, each node whole, so that a budget
// changes nothing; the narrower type has to win clearly, as it costs precision and rates move a little with
// every run. Without: the first of Backend::precisions, by instruction set. The same machine with the same
// rates chooses the same; calibrating may change the choice, and so the picture, which says what was chosen.
#pragma once

#include "pipeline/make_plan.h"

namespace snug {

// Sets request.precision and request.precision_reason where `request` leaves the choice, else nothing.
// Throws missing_tensor, shape_mismatch.
void settle_precision(Request& request, const Model& model, const Backend& backend, const Rates& rates);

// The rule: seconds predicted in F32 and in BF16.
bool narrower_wins(double f32_seconds, double bf16_seconds);

}  // namespace snug
