// What --precision auto is: the element type in which this machine runs the request fastest. Called by
// generate.cc and `snug plan` between validate_request and the plan.
//
// Where `snug calibrate` has measured: the one whose kernels are predicted to take less, each node whole, so
// that a budget changes nothing, from the rates as they were calibrated, so that runs change nothing; the
// narrower type has to win clearly, as it costs precision. Without: the first of Backend::precisions, by
// instruction set. The same machine with the same calibration chooses the same; calibrating anew may change
// the choice, and so the picture, which says what was chosen.
#pragma once

#include "pipeline/make_plan.h"

namespace snug {

// Sets request.precision and request.precision_reason where `request` leaves the choice, else nothing.
// Throws missing_tensor, shape_mismatch.
void settle_precision(Request& request, const Model& model, const Backend& backend, const Rates& rates);

// The rule: seconds predicted in F32 and in BF16.
bool narrower_wins(double f32_seconds, double bf16_seconds);

}  // namespace snug
