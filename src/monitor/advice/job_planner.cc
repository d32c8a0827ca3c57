#include "monitor/advice/job_planner.h"

#include <algorithm>
#include <cmath>

#include "backend/backend.h"
#include "base/error.h"
#include "pipeline/choose_precision.h"
#include "pipeline/fit_time.h"
#include "pipeline/kept_run.h"
#include "pipeline/make_plan.h"
#include "pipeline/rates_file.h"
#include "pipeline/thread_choice.h"
#include "pipeline/validate_request.h"
#include "plan/keep_weights.h"
#include "plan/plan_figures.h"

namespace snug {
namespace {

// Bytes that a run of the phase reads although an earlier run of the plan has read them.
struct PhaseBytes {
  uint64_t all = 0, again = 0;
};

PhaseBytes bytes_read(const Plan& plan, const Phase& phase) {
  PhaseBytes bytes;
  for (const Load& load : phase.loads) {
    const uint64_t own = file_bytes(phase, load);
    bytes.all += own;
    const bool stays = !load.every_run && load.target.buffer >= 0 &&
                       lives_throughout(plan, plan.buffers[static_cast<size_t>(load.target.buffer)]);
    if (!stays) bytes.again += own;
  }
  return bytes;
}

void add_phase(RunCost& cost, const Plan& plan, const Phase& phase, const PhaseFigures& figures) {
  const double runs = phase.runs();
  const double first_waiting = std::max(0.0, phase.first_run_seconds - figures.kernel_seconds);
  const double later_waiting =
      phase.runs() > 1 ? std::max(0.0, phase.later_run_seconds - figures.kernel_seconds) : 0;
  const PhaseBytes bytes = bytes_read(plan, phase);
  const double again = bytes.all == 0 ? 0 : static_cast<double>(bytes.again) / static_cast<double>(bytes.all);
  const double waiting = first_waiting * again + (runs - 1) * later_waiting;
  if (is_text_phase(phase.name)) {
    // Skipped, with its waiting, where the prompt's conditioning is cached.
    cost.encode_seconds += (figures.kernel_seconds * runs + waiting) / std::max(1, phase.calls);
  } else {
    cost.compute_seconds += figures.kernel_seconds * runs;
    cost.waiting_seconds += waiting;
  }
  cost.load_seconds += first_waiting * (1 - again);
}

int64_t conditioning_bytes(const FittedRun& fitted, const Model& model) {
  const ModelDescription& description = model.description;
  const int64_t rows = fitted.request.guided() ? 2 : 1;
  const int64_t states = fitted.run.chunks() * description.text_positions() * description.text_channels();
  return rows * (states + description.pooled_channels()) * static_cast<int64_t>(sizeof(float));
}

ServiceOptions options_of(const Configuration& configuration, const MakeServiceOptions& make_options,
                          const std::function<void(Rates&)>& change_rates) {
  ServiceOptions options = make_options(configuration);
  options.rates = rates_of_threads(threads_of(configuration));
  if (change_rates) change_rates(options.rates);
  return options;
}

}  // namespace

std::shared_ptr<const Model> OpenedModels::open(const RequestFields& fields) {
  std::shared_ptr<const Model>& model = models_[model_place(fields)];
  if (model == nullptr) model = open_model(fields);
  return model;
}

int threads_of(const Configuration& configuration) {
  return choose_threads(thread_wishes({}, {}, configuration.threads, configuration.pin), cpu_backend())
      .threads;
}

Rates rates_of_threads(int threads) {
  RatesKey key = rates_key(cpu_backend());
  key.threads = threads;
  if (const auto own = load_rates(rates_path(), key)) return *own;
  return scaled_rates(rates_path(), key).value_or(built_in_rates(key.instruction_set, threads));
}

JobPlanner::JobPlanner(const Configuration& configuration, const MakeServiceOptions& make_options,
                       OpenedModels& models, const std::function<void(Rates&)>& change_rates)
    : options_(options_of(configuration, make_options, change_rates)),
      admission_(options_),
      models_(models),
      reads_direct_(configuration.direct_reads) {}

int JobPlanner::shape_of_job(const PastJob& job) {
  Shape shape;
  shape.fields = job.fields;
  options_.find_model(shape.fields);
  shape.fields.keep_weights = true;
  shape.model = models_.open(shape.fields);
  settle_quality(shape.fields, *shape.model, cpu_backend(), options_.rates);
  Request request = validate_request(shape.fields, *shape.model, cpu_backend());
  settle_precision(request, *shape.model, cpu_backend(), options_.rates);
  shape.precision = precision_name(request.precision);
  const PlannedRun run = run_without_plan(request, *shape.model, cpu_backend(), options_.rates);
  const std::string key = shape.model->identity + '\n' + snug::shape_of(request, run);
  const auto [found, is_new] = shape_numbers_.try_emplace(key, static_cast<int>(shapes_.size()));
  if (is_new) shapes_.push_back(std::move(shape));
  return found->second;
}

RunCost JobPlanner::cost(int shape, int64_t pictures) {
  const auto [found, is_new] = costs_.try_emplace({shape, pictures});
  if (is_new) found->second = plan(shapes_.at(static_cast<size_t>(shape)), pictures);
  return found->second;
}

RunCost JobPlanner::plan(const Shape& shape, int64_t pictures) const {
  RunCost cost;
  RequestFields fields = shape.fields;
  fields.batch = pictures;
  try {
    const FittedRun fitted = admission_.fit(fields, *shape.model);
    const Plan& plan = fitted.run.plan;
    const PlanFigures figures = plan_figures(plan, nullptr, options_.rates);
    for (size_t p = 0; p < plan.phases.size(); ++p) add_phase(cost, plan, plan.phases[p], figures.phases[p]);
    cost.peak_bytes = static_cast<int64_t>(plan.peak_bytes());
    cost.kept_bytes = static_cast<int64_t>(plan.arena_bytes);
    cost.conditioning_bytes = conditioning_bytes(fitted, *shape.model);
  } catch (const OverBudget&) {
    cost.fits = false;
  }
  return cost;
}

ReplayLimits JobPlanner::limits() const {
  ReplayLimits limits;
  limits.budget_bytes = admission_.budget_bytes();
  limits.models_share = options_.models_share;
  limits.most_batch = options_.most_batch;
  limits.runs_at_once = options_.runs_at_once;
  limits.result_bytes = options_.results.bytes;
  limits.conditioning_bytes = options_.conditioning.bytes;
  return limits;
}

std::string JobPlanner::precision() const {
  const bool narrow = std::any_of(shapes_.begin(), shapes_.end(), [](const Shape& shape) {
    return shape.precision != precision_name(DType::kF32);
  });
  return precision_name(narrow ? DType::kBF16 : DType::kF32);
}

}  // namespace snug
