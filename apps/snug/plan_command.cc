// `snug plan`: what `snug generate` with the same flags would hold and take, without running it; from a
// manifest, without any weights.

#include <optional>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/print_error.h"
#include "apps/snug/print_refusal.h"
#include "apps/snug/print_report.h"
#include "apps/snug/request_options.h"
#include "base/units.h"
#include "media/atomic_file.h"
#include "pipeline/choose_precision.h"
#include "pipeline/fit_request.h"
#include "pipeline/fit_time.h"
#include "pipeline/plan_curve.h"
#include "pipeline/plan_heading.h"
#include "pipeline/prepare_plan.h"
#include "pipeline/rates_file.h"
#include "pipeline/validate_request.h"
#include "plan/curve.h"
#include "plan/plan_json.h"
#include "plan/plan_svg.h"
#include "plan/print_plan.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

constexpr int kCurvePoints = 12;

std::string rates_note(RatesSource source) {
  switch (source) {
    case RatesSource::kBuiltIn: return "from a guess by instruction set and cores; run 'snug calibrate'";
    case RatesSource::kMeasured: return "from rates that 'snug calibrate' measured here";
    case RatesSource::kRefined: return "from measured rates, refined by runs";
    case RatesSource::kScaled:
      return "from rates measured here with other threads, scaled; run 'snug calibrate'";
  }
  return {};
}

class PlanCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    options_.add_options(app);
    app.add_option("--manifest", manifest_,
                   "Plan a model from its tensors' names and shapes, without weights")
        ->type_name("PATH")
        ->group("Plan");
    app.add_flag("--explain", explain_, "Operator by operator, and why measures were not used")
        ->group("Plan");
    app.add_option("--svg", svg_, "Draw memory over the run, or the curve, into this file")
        ->type_name("FILE")
        ->group("Plan");
    app.add_flag("--curve", curve_, "Predicted time over budgets, from the smallest that works up")
        ->group("Plan");
    app.add_flag("--json", json_, "Print one JSON object")->group("Plan");
  }

  int run(const Configuration& configuration) override {
    options_.set_threads(configuration);
    if (!svg_.empty()) check_output_path(svg_);
    try {
      plan(configuration);
    } catch (const OverBudget& refusal) {
      if (!json_) throw;
      fmt::print("{}\n", dump(refusal_json(refusal)));
      return error_info(refusal.code()).exit_code;
    }
    return 0;
  }

 private:
  static std::string dump(const ordered_json& json) {
    return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
  }

  void plan(const Configuration& configuration) const {
    const Backend& backend = options_.backend();
    const Rates rates = rates_of_machine(backend);
    RequestFields fields = options_.fields(configuration, manifest_);
    fields.output = options_.output();
    const auto model = open_model(fields);
    const bool has_time = fields.time_seconds.has_value();
    const TimeChoice choice = settle_quality(fields, *model, backend, rates);
    if (has_time && !json_) fmt::print("{}\n", describe_promise(choice));
    Request request = validate_request(fields, *model, backend);
    settle_precision(request, *model, backend, rates);
    // What generate would name by itself: a picture that is written is not kept.
    if (request.output.empty()) request.output = "snug.png";
    if (curve_) {
      // Not refused when it does not fit: the curve says what would.
      PlanAttempt attempt = prepare_plan(request, *model, backend, rates);
      const std::vector<CurvePoint> curve = plan_curve(attempt, rates, kCurvePoints);
      tell_curve(curve, {std::move(request), std::move(attempt.run), {}}, *model);
    } else {
      tell_plan(fit_request(std::move(request), *model, backend, rates), *model, rates,
                has_time ? promise_json(choice) : ordered_json());
    }
  }

  // `promise`: of a time that was asked for, else null.
  void tell_plan(const FittedRun& fitted, const Model& model, const Rates& rates,
                 const ordered_json& promise) const {
    const Plan& plan = fitted.run.plan;
    std::optional<Plan> unbounded;
    if (uses_measures(plan)) unbounded = plan_without_limit(fitted.request, model, fitted.run, rates);
    const PlanFigures figures = plan_figures(plan, unbounded ? &*unbounded : nullptr, rates);
    draw(plan_svg(plan, figures, fitted.run.budget.bytes, subject(fitted.request)));
    const std::vector<std::string> unused = unused_measures(plan, fitted.run.spillable_bytes);
    if (json_) {
      ordered_json json = plan_heading_json(fitted, model);
      json.update(plan_json(plan, figures, explain_));
      if (!promise.is_null()) json["time"] = promise;
      if (explain_) json["unused_measures"] = unused;
      fmt::print("{}\n", dump(json));
      return;
    }
    fmt::print("{}\n", subject(fitted.request));
    fmt::print("peak {} predicted, of {}\n", format_bytes(plan.peak_bytes()), budget_text(fitted.run.budget));
    fmt::print("time {} predicted, {}\n", format_seconds(fitted.run.predicted_seconds()),
               rates_note(fitted.run.rates_source));
    print_notes(fitted, model);
    fmt::print("\n{}", print_plan(plan, figures));
    if (explain_) fmt::print("\n{}", explain_plan(plan, unused));
  }

  void tell_curve(const std::vector<CurvePoint>& curve, const FittedRun& fitted, const Model& model) const {
    std::vector<CurveRow> rows;
    for (const CurvePoint& point : curve) {
      rows.push_back(curve_row(point.budget_bytes, point.plan));
    }
    const MemoryBudget& budget = fitted.run.budget;
    draw(curve_svg(rows, budget.bytes, subject(fitted.request)));
    if (json_) {
      ordered_json json = plan_heading_json(fitted, model);
      json["curve"] = curve_json(rows);
      fmt::print("{}\n", dump(json));
      return;
    }
    fmt::print("{}\n", subject(fitted.request));
    fmt::print("times predicted, {}; your budget is {}\n", rates_note(fitted.run.rates_source),
               budget_text(budget));
    print_notes(fitted, model);
    fmt::print("\n{}", curve_table(rows, budget.bytes));
  }

  void draw(const std::string& svg) const {
    if (!svg_.empty()) write_file_atomically(svg_, std::as_bytes(std::span(svg)));
  }

  static std::string subject(const Request& request) {
    return fmt::format("{}, {}x{}, {} steps of {}, batch {}, guidance {:g}, {}",
                       printable(request.model_name), request.width, request.height, request.steps,
                       request.sampler_name, request.batch, request.guidance_scale,
                       precision_name(request.precision));
  }

  static std::string budget_text(const MemoryBudget& budget) {
    return fmt::format("{} ({}{})", format_bytes(budget.bytes), budget.limited_by,
                       budget.margin_bytes > 0
                           ? fmt::format(", less {} for others", format_bytes(budget.margin_bytes))
                           : "");
  }

  void print_notes(const FittedRun& fitted, const Model& model) const {
    if (!fitted.request.precision_reason.empty()) {
      fmt::print("precision {} chosen: {}\n", precision_name(fitted.request.precision),
                 fitted.request.precision_reason);
    }
    for (const std::string& change : fitted.changes) fmt::print("changed to fit: {}\n", change);
    for (const std::string& assumption : model.description.assumptions) {
      fmt::print("note: {}\n", printable(assumption));
    }
    if (!svg_.empty()) fmt::print("drawn in {}\n", printable(svg_));
  }

  RequestOptions options_;
  std::string manifest_, svg_;
  bool explain_ = false, curve_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_plan_command() { return std::make_unique<PlanCommand>(); }

}  // namespace snug::cli
