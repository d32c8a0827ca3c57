// Which calls of its sampler a request makes: all, those after the noise that a start picture gets, or those
// of one of two models that share a schedule (SDXL's base and refiner).
#pragma once

#include "pipeline/request.h"
#include "sampling/sampler.h"

namespace snug {

struct CallRange {
  int first = 0, end = 0;
};

// Empty (first >= end) when nothing is left to do.
CallRange call_range(const Request& request, const Sampler& sampler);

}  // namespace snug
