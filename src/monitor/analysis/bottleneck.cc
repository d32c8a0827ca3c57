#include "monitor/analysis/bottleneck.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, kBottleneckKinds> kNames = {
    "compute", "memory_bandwidth", "disk",       "transfer",       "queue",
    "load",    "memory_pressure",  "throttling", "other_programs",
};

}  // namespace

std::string_view bottleneck_kind_name(BottleneckKind kind) { return kNames.at(static_cast<size_t>(kind)); }

bool is_avoidable(BottleneckKind kind) {
  return kind != BottleneckKind::kCompute && kind != BottleneckKind::kMemoryBandwidth;
}

std::string_view severity_of(BottleneckKind kind, double share) {
  if (!is_avoidable(kind)) return "info";
  if (share >= 0.5) return "critical";
  if (share >= 0.25) return "high";
  if (share >= kSignificantShare) return "medium";
  return "low";
}

ordered_json to_json(const Bottleneck& bottleneck) {
  return {{"kind", bottleneck_kind_name(bottleneck.kind)},
          {"severity", bottleneck.severity},
          {"share", bottleneck.share},
          {"seconds", bottleneck.seconds},
          {"phase", bottleneck.phase.empty() ? ordered_json() : ordered_json(bottleneck.phase)},
          {"description", bottleneck.description},
          {"recommendation", bottleneck.recommendation},
          {"evidence", bottleneck.evidence}};
}

ordered_json to_json(const Undecided& undecided) {
  return {{"kind", bottleneck_kind_name(undecided.kind)}, {"reason", undecided.reason}};
}

}  // namespace snug
