#include "pipeline/choose_precision.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.h"
#include "pipeline/phase_requests.h"
#include "plan/cost_model.h"

namespace snug {
namespace {

// Of F32's time, what BF16 may take at most to be chosen.
constexpr double kClearly = 0.9;

// Of all kernels of the request, each node whole.
double kernel_seconds(Request request, DType precision, const Model& model, const Backend& backend,
                      const Rates& rates) {
  request.precision = precision;
  const PlannedRun run = run_without_plan(request, model, backend, rates);
  double seconds = 0;
  for (const PhaseRequest& phase : phase_requests(request, model.description, run)) {
    const PhaseWay& way = phase.ways.front();
    const PhaseFacts facts = gather_facts(way.graph, *run.kernels);
    double once = 0;
    for (const NodeFacts& node : facts.nodes) once += predict_seconds(node, node.whole, rates);
    seconds += once * phase.calls * way.passes;
  }
  return seconds;
}

}  // namespace

bool narrower_wins(double f32_seconds, double bf16_seconds) { return bf16_seconds <= kClearly * f32_seconds; }

void settle_precision(Request& request, const Model& model, const Backend& backend, const Rates& rates) {
  if (!request.auto_precision) return;
  const std::vector<DType> available = backend.precisions();
  if (std::find(available.begin(), available.end(), DType::kBF16) == available.end()) {
    request.precision = available.front();
    request.precision_reason = "nothing here computes in bf16";
    return;
  }
  const std::optional<Rates> measured = as_calibrated(rates);
  if (!measured) {
    request.precision = available.front();
    request.precision_reason = "the fastest by instruction set; 'snug calibrate' measures it";
    return;
  }
  const double f32 = kernel_seconds(request, DType::kF32, model, backend, *measured);
  const double bf16 = kernel_seconds(request, DType::kBF16, model, backend, *measured);
  const bool narrower = narrower_wins(f32, bf16);
  request.precision = narrower ? DType::kBF16 : DType::kF32;
  request.precision_reason = fmt::format(
      "predicted {} in f32 and {} in bf16, by what 'snug calibrate' measured{}", format_seconds(f32),
      format_seconds(bf16), !narrower && bf16 < f32 ? "; too little to give up precision for" : "");
}

}  // namespace snug
