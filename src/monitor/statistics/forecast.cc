#include "monitor/statistics/forecast.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "monitor/statistics/quantiles.h"

namespace snug {
namespace {

// What a method says at one origin, of which any step ahead follows.
struct Outlook {
  double level = 0;    // now
  double trend = 0;    // a step
  double damping = 1;  // of the trend, each step

  double ahead(size_t steps) const {
    double value = level, step = trend;
    for (size_t i = 0; i < steps; ++i) value += step *= damping;
    return value;
  }
};

// Outlooks after 1, 2, ..., n values.
using Outlooks = std::vector<Outlook>;

Outlook line_outlook(std::span<const double> seen) {
  const auto last = seen.subspan(seen.size() - std::min(seen.size(), kLineValues));
  const size_t n = last.size();
  // Each value with the one half the stretch later (Theil's incomplete method): n / 2 slopes instead of n^2 /
  // 2, for this is done at every origin.
  std::vector<double> slopes;
  const size_t half = n / 2;
  for (size_t i = 0; i + half < n; ++i)
    slopes.push_back((last[i + half] - last[i]) / static_cast<double>(half));
  Outlook outlook{.trend = median_in_place(slopes)};
  std::vector<double> levels(n);
  for (size_t i = 0; i < n; ++i) levels[i] = last[i] + outlook.trend * static_cast<double>(n - 1 - i);
  outlook.level = median_in_place(levels);
  return outlook;
}

struct Smoothing {
  double level = 0, trend = 0, damping = 0;
};

Outlooks smooth(std::span<const double> values, const Smoothing& by) {
  Outlooks outlooks;
  outlooks.reserve(values.size());
  Outlook now{.level = values[0], .trend = 0, .damping = by.damping};
  outlooks.push_back(now);
  for (size_t i = 1; i < values.size(); ++i) {
    const double expected = now.ahead(1), before = now.level;
    now.level = expected + by.level * (values[i] - expected);
    now.trend = by.trend * (now.level - before) + (1 - by.trend) * by.damping * now.trend;
    outlooks.push_back(now);
  }
  return outlooks;
}

// The settings with the smallest one-step errors over the first `known` values.
Smoothing choose_smoothing(std::span<const double> values, size_t known) {
  Smoothing best;
  double least = INFINITY;
  for (double level : {0.05, 0.1, 0.2, 0.4, 0.7, 1.0})
    for (double trend : {0.0, 0.05, 0.2})
      for (double damping : {0.8, 0.95, 0.99}) {
        const Smoothing smoothing{level, trend, damping};
        const Outlooks outlooks = smooth(values.first(known), smoothing);
        double error = 0;
        for (size_t i = known / 4; i + 1 < known; ++i)
          error += std::abs(values[i + 1] - outlooks[i].ahead(1));
        if (error < least) {
          least = error;
          best = smoothing;
        }
      }
  return best;
}

// errors[h - 1][k]: of the value h steps after the k-th origin.
using Errors = std::vector<std::vector<double>>;

Errors errors_of(std::span<const double> values, const Outlooks& outlooks, size_t first_origin,
                 size_t ahead) {
  Errors errors(ahead);
  for (size_t h = 1; h <= ahead; ++h)
    for (size_t i = first_origin; i + h < values.size(); ++i)
      errors[h - 1].push_back(std::abs(values[i + h] - outlooks[i].ahead(h)));
  return errors;
}

double mean_error(const Errors& errors) {
  double sum = 0, count = 0;
  for (const auto& at_distance : errors) {
    for (double error : at_distance) sum += error;
    count += static_cast<double>(at_distance.size());
  }
  return sum / count;
}

// Half the width of the interval at each distance, from the first `origins` errors there. Errors h steps
// ahead share h - 1 steps with their neighbours: m of them weigh about as m / h independent ones, and the
// quantile of so few falls short; 1 + h / m held what was asked on all series of the test.
std::vector<double> half_widths(const Errors& errors, size_t origins, double coverage) {
  std::vector<double> widths;
  double widest = 0;
  for (size_t h = 1; h <= errors.size(); ++h) {
    const auto seen = std::span(errors[h - 1]).first(std::min(origins, errors[h - 1].size()));
    const auto m = static_cast<double>(seen.size());
    const double independent = m / static_cast<double>(h);
    const double fraction = std::min(1.0, coverage * (1 + 1 / m));
    widest = std::max(widest, *quantile(seen, fraction) * (1 + 1 / independent));
    widths.push_back(widest);
  }
  return widths;
}

void check_coverage(Forecast& result, const Errors& errors) {
  const size_t ahead = errors.size(), origins = errors.back().size(), calibrating = origins * 2 / 3;
  const std::vector<double> widths = half_widths(errors, calibrating, result.coverage);
  size_t inside = 0;
  for (size_t h = 0; h < ahead; ++h)
    for (size_t k = calibrating; k < origins; ++k) {
      // Made at an origin whose calibrating errors were all known by then.
      if (k < calibrating + ahead) continue;
      ++result.checked_values;
      inside += errors[h][k] <= widths[h];
    }
  if (result.checked_values > 0)
    result.checked_coverage = static_cast<double>(inside) / static_cast<double>(result.checked_values);
}

}  // namespace

const char* forecast_method_word(ForecastMethod method) {
  return method == ForecastMethod::kLine ? "theil_line" : "damped_trend";
}

std::optional<Forecast> forecast(std::span<const double> values, double step_seconds, size_t steps_ahead,
                                 const ForecastOptions& options) {
  SNUG_CHECK(step_seconds > 0 && steps_ahead > 0, "a step, and at least one ahead");
  SNUG_CHECK(options.coverage >= 0.5 && options.coverage <= 0.99, "a coverage in [0.5, 0.99]");
  if (values.size() < std::max(kLeastForForecast, kValuesPerStepAhead * steps_ahead)) return std::nullopt;
  if (values.size() > kMostValues)
    values = values.last(std::max(kMostValues, kValuesPerStepAhead * steps_ahead));
  for (double value : values) SNUG_CHECK(std::isfinite(value), "finite values; what is unknown is left out");
  const size_t first_origin = values.size() / 2;
  Outlooks line(values.size());
  for (size_t i = first_origin; i < values.size(); ++i) line[i] = line_outlook(values.first(i + 1));
  const Outlooks damped = smooth(values, choose_smoothing(values, first_origin));
  const Errors line_errors = errors_of(values, line, first_origin, steps_ahead);
  const Errors damped_errors = errors_of(values, damped, first_origin, steps_ahead);
  const bool straight = mean_error(line_errors) < mean_error(damped_errors);
  const Errors& errors = straight ? line_errors : damped_errors;
  const Outlook& now = straight ? line.back() : damped.back();

  Forecast result;
  result.method = straight ? ForecastMethod::kLine : ForecastMethod::kDampedTrend;
  result.coverage = options.coverage;
  const std::vector<double> widths = half_widths(errors, values.size(), options.coverage);
  for (size_t h = 1; h <= steps_ahead; ++h) {
    const double value = now.ahead(h);
    result.points.push_back({.ahead_seconds = static_cast<double>(h) * step_seconds,
                             .value = value,
                             .low = value - widths[h - 1],
                             .high = value + widths[h - 1]});
  }
  check_coverage(result, errors);
  return result;
}

}  // namespace snug
