// What the sampler saw last, as figures of /metrics (metric_list.h). Made by who has a sampler; given to
// Metrics as MetricSources::machine.
#pragma once

#include <cstdint>
#include <vector>

#include "monitor/metric_figure.h"
#include "monitor/samples/sample.h"

namespace snug {

// Without what the sample does not know. `now_ms`: for its age.
std::vector<MetricFigure> sample_figures(const Sample& sample, int64_t now_ms);

}  // namespace snug
