#include "plan/plan_json.h"

#include <optional>

#include <nlohmann/json.hpp>

#include "plan/operator_lines.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

ordered_json kinds_json(const Plan& plan, const PhaseFigures& figures, std::optional<uint64_t> gap_bytes) {
  ordered_json json;
  for (const auto& [name, bytes] : peak_by_kind(plan, figures, gap_bytes)) json[name] = bytes;
  return json;
}

ordered_json operators_json(const Phase& phase) {
  ordered_json list = ordered_json::array();
  for (const OperatorLine& line : operator_lines(phase)) {
    ordered_json declined = ordered_json::array();
    for (const Declined& kernel : line.declined) {
      declined.push_back({{"kernel", kernel.kernel}, {"reason", kernel.reason}});
    }
    list.push_back({{"op", line.op},
                    {"name", line.name},
                    {"kernel", line.kernel},
                    {"output", line.shape},
                    {"output_bytes", line.output_bytes},
                    {"weight_bytes", line.weight_bytes},
                    {"scratch_bytes", line.scratch_bytes},
                    {"parts", line.parts},
                    {"parts_by", line.cut.empty() ? ordered_json() : ordered_json(line.cut)},
                    {"seconds", line.seconds},
                    {"declined", std::move(declined)}});
  }
  return list;
}

ordered_json phase_json(const Plan& plan, size_t index, const PhaseFigures& figures, bool explain) {
  const Phase& phase = plan.phases[index];
  const PhaseMeasures& own = phase.measures;
  ordered_json json = {{"name", phase.name},
                       {"stage", phase.stage},
                       {"part", phase.part},
                       {"calls", phase.calls},
                       {"passes", phase.passes},
                       {"runs", phase.runs()},
                       {"instructions", phase.instructions.size()},
                       {"loads", phase.loads.size()},
                       {"flops_per_run", phase.flops_per_run},
                       {"bytes_per_run", phase.bytes_per_run},
                       {"peak_bytes", figures.live_bytes + plan.process_bytes + plan.host_bytes},
                       {"peak_by_kind", kinds_json(plan, figures, std::nullopt)}};
  json["seconds"] = {{"total", phase.predicted_seconds()},
                     {"first_run", phase.first_run_seconds},
                     {"later_run", phase.runs() > 1 ? ordered_json(phase.later_run_seconds) : ordered_json()},
                     {"kernels_of_a_run", figures.kernel_seconds},
                     {"waiting_for_weights", figures.stall_seconds}};
  json["read_bytes"] = {{"first_run", figures.first_read_bytes}, {"later_run", figures.later_read_bytes}};
  json["weights"] = {{"resident_bytes", own.resident_bytes},
                     {"streamed_bytes", own.streamed_bytes},
                     {"ring_bytes", own.ring_bytes}};
  json["bands"] = {{"operators", own.banded_nodes}, {"most", own.most_bands}};
  json["slices"] = {{"operators", own.sliced_nodes}};
  json["spilled_bytes_per_run"] = own.spilled_bytes;
  if (explain) json["operators"] = operators_json(phase);
  return json;
}

}  // namespace

nlohmann::ordered_json plan_json(const Plan& plan, const PlanFigures& figures, bool explain) {
  ordered_json json = {
      {"peak_bytes", plan.peak_bytes()},
      {"arena_bytes", plan.arena_bytes},
      {"process_bytes", plan.process_bytes},
      {"host_bytes", plan.host_bytes},
      {"scratch_file_bytes", plan.scratch_file_bytes},
      {"peak_by_kind", kinds_json(plan, figures.phases[figures.fullest_phase], figures.gap_bytes)},
      {"seconds", predicted_seconds(plan)}};
  json["phases"] = ordered_json::array();
  for (size_t p = 0; p < plan.phases.size(); ++p) {
    json["phases"].push_back(phase_json(plan, p, figures.phases[p], explain));
  }
  json["measures"] = ordered_json::array();
  for (const MeasureEffect& effect : figures.measures) {
    json["measures"].push_back({{"phase", plan.phases[effect.phase].name},
                                {"name", effect.name},
                                {"details", effect.details},
                                {"saves_bytes", effect.saved_bytes},
                                {"costs_seconds", effect.cost_seconds}});
  }
  json["without_measures"] = {
      {"peak_bytes", figures.unbounded_arena_bytes + plan.process_bytes + plan.host_bytes},
      {"seconds", figures.unbounded_seconds}};
  return json;
}

}  // namespace snug
