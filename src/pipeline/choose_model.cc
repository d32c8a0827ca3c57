#include "pipeline/choose_model.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "pipeline/choose_precision.h"
#include "pipeline/fit_request.h"
#include "pipeline/open_model.h"
#include "pipeline/presets.h"
#include "pipeline/validate_request.h"

namespace snug {
namespace {

// Beyond, pictures of models of such a native size fall apart.
constexpr int64_t kMostTimesNative = 3;

PlannedSize planned(const Request& request, const PlannedRun& run) {
  return {request.width, request.height, run.plan.peak_bytes(), run.predicted_seconds()};
}

// At the size that was asked for; and the largest, which is above that where it fits and below it where not.
void plan_sizes(ModelChoice& choice, const Request& request, const Model& model, const Backend& backend,
                const Rates& rates) {
  const PlanAttempt attempt = try_plan(request, model, backend, rates);
  const int64_t asked_edge = std::max(request.width, request.height);
  int64_t edge_limit = asked_edge;
  if (attempt.fits) {
    choice.asked = choice.largest = planned(request, attempt.run);
    edge_limit = kMostTimesNative * model.description.native_size_px + 1;
  } else {
    choice.smallest_budget_bytes = attempt.smallest_budget_bytes;
  }
  const auto largest = largest_size(request, edge_limit, model, backend, rates);
  if (!largest || (attempt.fits && std::max(largest->width, largest->height) <= asked_edge)) return;
  const PlanAttempt there = try_plan(*largest, model, backend, rates);
  if (there.fits) choice.largest = planned(*largest, there.run);
}

ModelChoice describe(const std::string& name, RequestFields fields, const Backend& backend,
                     const Rates& rates, const KnownOfMachine& known) {
  ModelChoice choice;
  choice.name = name;
  fields.model = name;
  const std::optional<double> time_seconds = std::exchange(fields.time_seconds, {});
  const auto model = open_model(fields);
  settle_preset(fields, *model);
  Request request = validate_request(fields, *model, backend);
  settle_precision(request, *model, backend, rates);
  choice.width = request.width;
  choice.height = request.height;
  choice.steps = request.steps;
  choice.precision = request.precision;
  if (const auto past = known.loads.find(model->identity); past != known.loads.end())
    choice.load_seconds = median_load_seconds(past->second);
  plan_sizes(choice, request, *model, backend, rates);
  if (time_seconds.has_value() && choice.asked.has_value())
    choice.in_time = choice.asked->seconds * known.error.most_ratio + known.error.most_beside_seconds +
                         choice.load_seconds.value_or(0) <=
                     *time_seconds;
  return choice;
}

// Smaller is better.
auto rank(const ModelChoice& choice) {
  const PlannedSize size = choice.asked.value_or(choice.largest.value_or(PlannedSize{}));
  return std::make_tuple(!choice.problem.empty(), !choice.asked.has_value(), !choice.in_time.value_or(true),
                         -size.width * size.height, size.seconds + choice.load_seconds.value_or(0),
                         size.peak_bytes);
}

}  // namespace

std::vector<ModelChoice> choose_model(const std::vector<std::string>& models, const RequestFields& fields,
                                      const Backend& backend, const Rates& rates,
                                      const KnownOfMachine& known) {
  std::vector<ModelChoice> choices;
  for (const std::string& name : models) {
    try {
      choices.push_back(describe(name, fields, backend, rates, known));
    } catch (const Error& error) {
      // Of the one that was named.
      if (models.size() == 1) throw;
      choices.emplace_back().name = name;
      choices.back().problem = error.problem();
    }
  }
  std::stable_sort(choices.begin(), choices.end(),
                   [](const ModelChoice& a, const ModelChoice& b) { return rank(a) < rank(b); });
  return choices;
}

}  // namespace snug
