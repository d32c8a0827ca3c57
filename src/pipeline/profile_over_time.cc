#include "pipeline/profile_over_time.h"

#include <optional>

#include <nlohmann/json.hpp>

#include "plan/live_bytes.h"
#include "plan/plan_figures.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

ordered_json scopes_inside(const std::vector<TimeNode>& nodes, int parent) {
  ordered_json list = ordered_json::array();
  for (size_t i = 0; i < nodes.size(); ++i) {
    const TimeNode& node = nodes[i];
    if (node.parent != parent) continue;
    list.push_back({{"name", node.name()},
                    {"thread", node.thread},
                    {"count", node.count},
                    {"total_seconds", node.total_seconds()},
                    {"self_seconds", node.self_seconds()},
                    {"inside", scopes_inside(nodes, static_cast<int>(i))}});
  }
  return list;
}

ordered_json planned_curve(const Plan& plan, const Rates& rates) {
  const std::vector<std::vector<uint64_t>> live = live_bytes(plan);
  const PlanFigures figures = plan_figures(plan, nullptr, rates);
  const uint64_t beside_bytes = plan.process_bytes + plan.host_bytes;
  ordered_json list = ordered_json::array();
  double phase_begin_seconds = 0;
  for (size_t p = 0; p < plan.phases.size(); ++p) {
    const auto& instructions = figures.phases[p].first.instructions;
    std::optional<uint64_t> last;
    for (size_t i = 0; i < live[p].size(); ++i) {
      if (live[p][i] == last) continue;
      last = live[p][i];
      const double seconds = phase_begin_seconds + (i < instructions.size() ? instructions[i].first : 0);
      list.push_back({{"phase", plan.phases[p].name},
                      {"instruction", i},
                      {"predicted_seconds", seconds},
                      {"process_bytes", live[p][i] + beside_bytes},
                      {"arena_bytes", live[p][i]}});
    }
    phase_begin_seconds += plan.phases[p].predicted_seconds();
  }
  return list;
}

}  // namespace

ordered_json times_json(const TimeTree& times) { return scopes_inside(times.nodes(), -1); }

ordered_json memory_json(const MemorySamples& memory, const Plan& plan, const Rates& rates) {
  ordered_json samples = ordered_json::array();
  for (const MemorySample& sample : memory.samples()) {
    samples.push_back({{"seconds", static_cast<double>(sample.at_ns) / 1e9},
                       {"process_bytes", sample.resident_bytes},
                       {"arena_bytes", sample.arena_bytes}});
  }
  return {{"interval_seconds", memory.interval_seconds()},
          {"sampling_seconds", memory.cost_seconds()},
          {"samples", std::move(samples)},
          {"planned", planned_curve(plan, rates)}};
}

}  // namespace snug
