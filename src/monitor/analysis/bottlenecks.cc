#include "monitor/analysis/bottlenecks.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "monitor/analysis/bottleneck_text.h"
#include "monitor/analysis/time_shares.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

// 0: avoidable and significant, 1: what a run is made of, 2: avoidable, but little.
int rank_class(const Bottleneck& bottleneck) {
  if (!is_avoidable(bottleneck.kind)) return 1;
  return bottleneck.share >= kSignificantShare ? 0 : 2;
}

BottleneckKind largest(const KindSeconds& seconds) {
  return static_cast<BottleneckKind>(std::max_element(seconds.begin(), seconds.end()) - seconds.begin());
}

template <class T>
ordered_json list_json(const std::vector<T>& list) {
  ordered_json json = ordered_json::array();
  for (const T& one : list) json.push_back(to_json(one));
  return json;
}

}  // namespace

bool stands_before(const Bottleneck& a, const Bottleneck& b) {
  const int class_a = rank_class(a), class_b = rank_class(b);
  if (class_a != class_b) return class_a < class_b;
  return a.seconds > b.seconds;
}

RunBottlenecks analyse_run(const RunRecord& record, const MachinePeaks& peaks) {
  RunBottlenecks found;
  TimeShares shares = share_time(record, peaks);
  found.undecided = std::move(shares.undecided);
  if (shares.total_seconds <= 0) return found;
  found.unattributed_share = std::clamp(shares.unattributed_seconds / shares.total_seconds, 0.0, 1.0);
  const auto start = [&](BottleneckKind kind, double seconds) {
    Bottleneck bottleneck;
    bottleneck.kind = kind;
    bottleneck.seconds = seconds;
    bottleneck.share = std::clamp(seconds / shares.total_seconds, 0.0, 1.0);
    bottleneck.severity = severity_of(kind, bottleneck.share);
    bottleneck.recommendation = recommend(kind, record, shares);
    return bottleneck;
  };
  for (size_t i = 0; i < kBottleneckKinds; ++i) {
    if (shares.seconds[i] < kLeastShare * shares.total_seconds) continue;
    const auto kind = static_cast<BottleneckKind>(i);
    Bottleneck bottleneck = start(kind, shares.seconds[i]);
    bottleneck.description = describe_bottleneck(kind, record, shares);
    bottleneck.evidence = evidence_of(kind, record, peaks, shares);
    found.job.push_back(std::move(bottleneck));
  }
  std::stable_sort(found.job.begin(), found.job.end(), stands_before);
  for (const PhaseShare& part : shares.phases) {
    const BottleneckKind kind = largest(part.seconds);
    const double seconds = part.seconds[static_cast<size_t>(kind)];
    if (seconds <= 0) continue;
    Bottleneck bottleneck = start(kind, seconds);
    bottleneck.phase = part.phase.name;
    bottleneck.description = describe_phase(kind, part);
    bottleneck.evidence = phase_evidence(part, peaks);
    found.phases.push_back(std::move(bottleneck));
  }
  return found;
}

std::vector<Bottleneck> bottlenecks_of(const RunRecord& record, const MachinePeaks& peaks) {
  return analyse_run(record, peaks).job;
}

ordered_json to_json(const RunBottlenecks& found) {
  return {{"bottlenecks", list_json(found.job)},
          {"phases", list_json(found.phases)},
          {"undecided", list_json(found.undecided)},
          {"unattributed_share", found.unattributed_share}};
}

}  // namespace snug
