// `snug plan`: what `snug generate` with the same flags would hold and take, without running it; from a
// manifest, without any weights.

#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/snug/command.h"
#include "apps/snug/print_error.h"
#include "apps/snug/print_refusal.h"
#include "apps/snug/request_options.h"
#include "base/units.h"
#include "media/atomic_file.h"
#include "pipeline/fit_request.h"
#include "pipeline/plan_curve.h"
#include "pipeline/rates_file.h"
#include "pipeline/validate_request.h"
#include "plan/plan_json.h"
#include "plan/print_plan.h"

namespace snug::cli {
namespace {

using nlohmann::ordered_json;

std::string precision_name(DType precision) { return precision == DType::kBF16 ? "bf16" : "f32"; }

std::string rates_note(RatesSource source) {
  switch (source) {
    case RatesSource::kBuiltIn: return "from a guess by instruction set and cores; run 'snug calibrate'";
    case RatesSource::kMeasured: return "from rates that 'snug calibrate' measured here";
    case RatesSource::kRefined: return "from measured rates, refined by runs";
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
    app.add_flag("--json", json_, "Print one JSON object")->group("Plan");
  }

  int run(const Configuration& configuration) override {
    options_.set_threads();
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
    Request request = validate_request(fields, *model, backend);
    // What generate would name by itself: a picture that is written is not kept.
    if (request.output.empty()) request.output = "snug.png";
    const FittedRun fitted = fit_request(std::move(request), *model, backend, rates);
    const Plan& plan = fitted.run.plan;
    std::optional<Plan> unbounded;
    if (uses_measures(plan)) unbounded = plan_without_limit(fitted.request, *model, fitted.run, rates);
    const PlanFigures figures = plan_figures(plan, unbounded ? &*unbounded : nullptr, rates);
    if (json_) {
      ordered_json json = heading_json(fitted, *model);
      json.update(plan_json(plan, figures, explain_));
      if (explain_) json["unused_measures"] = unused_measures(plan, fitted.run.spillable_bytes);
      fmt::print("{}\n", dump(json));
      return;
    }
    fmt::print("{}\n{}", heading(fitted, *model), print_plan(plan, figures));
    if (explain_) fmt::print("\n{}", explain_plan(plan, unused_measures(plan, fitted.run.spillable_bytes)));
  }

  static std::string heading(const FittedRun& fitted, const Model& model) {
    const Request& request = fitted.request;
    const PlannedRun& run = fitted.run;
    std::string text =
        fmt::format("{}, {}x{}, {} steps of {}, batch {}, guidance {:g}, {}\n", printable(request.model_name),
                    request.width, request.height, request.steps, request.sampler_name, request.batch,
                    request.guidance_scale, precision_name(request.precision));
    text += fmt::format("peak {} predicted, of a budget of {} ({}{})\n", format_bytes(run.plan.peak_bytes()),
                        format_bytes(run.budget.bytes), run.budget.limited_by,
                        run.budget.margin_bytes > 0
                            ? fmt::format(", less {} for others", format_bytes(run.budget.margin_bytes))
                            : "");
    text += fmt::format("time {} predicted, {}\n", format_seconds(run.predicted_seconds()),
                        rates_note(run.rates_source));
    for (const std::string& change : fitted.changes) text += fmt::format("changed to fit: {}\n", change);
    for (const std::string& assumption : model.description.assumptions) {
      text += fmt::format("note: {}\n", printable(assumption));
    }
    return text;
  }

  static ordered_json heading_json(const FittedRun& fitted, const Model& model) {
    const Request& request = fitted.request;
    const PlannedRun& run = fitted.run;
    return {{"status", "done"},
            {"model", request.model_name},
            {"architecture", model.description.title},
            {"width", request.width},
            {"height", request.height},
            {"steps", request.steps},
            {"batch", request.batch},
            {"guidance_scale", request.guidance_scale},
            {"sampler", request.sampler_name},
            {"precision", precision_name(request.precision)},
            {"budget", budget_json(run.budget)},
            {"changes", fitted.changes},
            {"rates", rates_source_name(run.rates_source)},
            {"scratch_folder", run.scratch_folder},
            {"assumptions", model.description.assumptions}};
  }

  RequestOptions options_;
  std::string manifest_;
  bool explain_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_plan_command() { return std::make_unique<PlanCommand>(); }

}  // namespace snug::cli
