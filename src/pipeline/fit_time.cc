#include "pipeline/fit_time.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"
#include "pipeline/choose_precision.h"
#include "pipeline/fit_request.h"
#include "pipeline/presets.h"
#include "pipeline/validate_request.h"

namespace snug {
namespace {

struct Quality {
  int64_t steps;
  double size;  // of the native edge
};

// From the best down. Steps first go as far as DPM++ 2M hardly shows it, then size and steps in turn.
constexpr std::array kQualities = {Quality{50, 1},    Quality{40, 1},  Quality{30, 1},   Quality{25, 1},
                                   Quality{20, 1},    Quality{15, 1},  Quality{12, 1},   Quality{10, 1},
                                   Quality{12, 0.75}, Quality{8, 1},   Quality{8, 0.75}, Quality{10, 0.5},
                                   Quality{6, 0.75},  Quality{8, 0.5}, Quality{6, 0.5},  Quality{4, 0.5}};

struct Attempt {
  RequestFields fields;
  Request request;
  double phase_seconds = 0;  // predicted
};

Attempt attempt_of(const RequestFields& fields, const Quality& quality, const Model& model,
                   const Backend& backend, const Rates& rates) {
  Attempt attempt;
  attempt.fields = fields;
  attempt.fields.time_seconds.reset();
  if (!fields.steps.has_value()) attempt.fields.steps = quality.steps;
  if (!fields.width.has_value() && !fields.height.has_value() && fields.image == nullptr) {
    const SizePair size = scaled_size(model, quality.size);
    attempt.fields.height = size[0];
    attempt.fields.width = size[1];
  }
  attempt.request = validate_request(attempt.fields, model, backend);
  settle_precision(attempt.request, model, backend, rates);
  attempt.phase_seconds = fit_request(attempt.request, model, backend, rates).run.predicted_seconds();
  return attempt;
}

// Equal ones, where the user states what the ladder would change, are tried once.
bool is_same(const Attempt& a, const Attempt& b) {
  return a.request.steps == b.request.steps && a.request.width == b.request.width &&
         a.request.height == b.request.height;
}

}  // namespace

nlohmann::ordered_json promise_json(const TimeChoice& choice) {
  return {{"asked_seconds", choice.asked_seconds},
          {"predicted_seconds", choice.predicted_seconds},
          {"promised_seconds", choice.most_seconds},
          {"prediction_error",
           {{"runs", choice.error.runs},
            {"median_ratio", choice.error.median_ratio},
            {"most_ratio", choice.error.most_ratio},
            {"most_beside_seconds", choice.error.most_beside_seconds}}}};
}

TimeChoice settle_time(RequestFields& fields, const Model& model, const Backend& backend, const Rates& rates,
                       const std::vector<PastRun>& past) {
  TimeChoice choice;
  if (!fields.time_seconds.has_value()) return choice;
  choice.asked_seconds = *fields.time_seconds;
  choice.error = prediction_error(past);
  std::optional<Attempt> last;
  for (const Quality& quality : kQualities) {
    Attempt attempt = attempt_of(fields, quality, model, backend, rates);
    if (last.has_value() && is_same(*last, attempt)) continue;
    choice.predicted_seconds =
        attempt.phase_seconds * choice.error.median_ratio + choice.error.most_beside_seconds;
    choice.most_seconds = attempt.phase_seconds * choice.error.most_ratio + choice.error.most_beside_seconds;
    last = std::move(attempt);
    if (choice.most_seconds > choice.asked_seconds) continue;
    choice.width = last->request.width;
    choice.height = last->request.height;
    choice.steps = last->request.steps;
    fields = std::move(last->fields);
    return choice;
  }
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("{} is too short: {} steps at {}x{} are predicted to take {}, and {} with the error "
                  "of past predictions",
                  format_seconds(choice.asked_seconds), last->request.steps, last->request.width,
                  last->request.height, format_seconds(choice.predicted_seconds),
                  format_seconds(choice.most_seconds)),
      fmt::format("give at least --time {}", format_seconds(choice.most_seconds)));
}

TimeChoice settle_quality(RequestFields& fields, const Model& model, const Backend& backend,
                          const Rates& rates) {
  settle_preset(fields, model);
  if (!fields.time_seconds.has_value()) return {};
  return settle_time(fields, model, backend, rates, load_past_runs(predictions_path(), backend));
}

}  // namespace snug
