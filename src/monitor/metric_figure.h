// A figure that another part of Snug has at hand when /metrics is asked for: what the sampler saw last, which
// alerts fire. Metrics (metrics.h) asks for them at each scrape; service_watch.h has
// them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "monitor/metric_list.h"

namespace snug {

struct MetricFigure {
  Metric metric;
  double value = 0;
  std::vector<std::pair<std::string, std::string>> labels;  // by the names in the metric's list
};

// nullopt: nothing is known now. Answers at once, from any thread; what it throws counts as no answer.
using FigureSource = std::function<std::optional<std::vector<MetricFigure>>()>;

// Where the figures come from that neither the store nor the counts have. An empty function: there is no such
// part in this process, and its metrics are absent.
struct MetricSources {
  FigureSource machine;  // the sampler
  FigureSource alerts;
};

}  // namespace snug
