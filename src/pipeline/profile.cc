#include "pipeline/profile.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "plan/phase_facts.h"

namespace snug {
namespace {

using nlohmann::ordered_json;

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

ProfileLine describe(const Phase& phase, NodeId id, const PeakRates& peaks) {
  const Node& node = phase.graph.node(id);
  const Value& output = phase.graph.value(node.output);
  ProfileLine line;
  line.op = op_info(node.op).name;
  line.kernel = phase.kernel_names[static_cast<size_t>(id)];
  line.name = output.name;
  line.shape = output.shape.text();
  line.type = dtype_info(output.dtype).name;
  line.nodes = 1;
  line.is_heavy = work_kind(node.op) != WorkKind::kMemory;
  line.flops = phase.graph.cost(node).flops * phase.runs();
  line.bytes = nominal_bytes(phase.graph, node) * phase.runs();
  const bool narrow = output.dtype == DType::kBF16 && peaks.bf16_flops > 0;
  const double peak_flops = narrow ? peaks.bf16_flops : peaks.f32_flops;
  const double compute = peak_flops > 0 ? line.flops / peak_flops : 0;
  const double memory = peaks.copy_bytes > 0 ? line.bytes / peaks.copy_bytes : 0;
  line.limit_seconds = std::max(compute, memory);
  line.limit = compute >= memory ? Limit::kFlops : Limit::kBytes;
  return line;
}

void sort_by_time(std::vector<ProfileLine>& lines) {
  std::stable_sort(lines.begin(), lines.end(),
                   [](const ProfileLine& a, const ProfileLine& b) { return a.seconds > b.seconds; });
}

// One line a node, in no order yet; moves and spills go to the phase.
std::vector<ProfileLine> node_lines(const Phase& phase, const PhaseRecord& record, const PeakRates& peaks,
                                    PhaseProfile& profile) {
  std::map<NodeId, ProfileLine> lines;
  for (size_t i = 0; i < phase.instructions.size(); ++i) {
    const double seconds = record.kernel_seconds[i];
    const auto* run = std::get_if<RunKernel>(&phase.instructions[i]);
    if (run == nullptr) {
      profile.move_seconds += seconds;
      continue;
    }
    profile.kernel_seconds += seconds;
    auto found = lines.find(run->node);
    if (found == lines.end()) found = lines.emplace(run->node, describe(phase, run->node, peaks)).first;
    ProfileLine& line = found->second;
    line.kernel_runs += phase.runs();
    line.seconds += seconds;
    line.predicted_seconds += run->predicted_seconds * phase.runs();
  }
  std::vector<ProfileLine> list;
  for (auto& [node, line] : lines) list.push_back(std::move(line));
  return list;
}

std::vector<ProfileLine> group_lines(const std::vector<ProfileLine>& nodes) {
  struct Group {
    ProfileLine line;
    double flops_limit_seconds = 0;  // of its nodes that are bound by arithmetic
  };
  std::map<std::tuple<std::string, std::string, std::string>, Group> groups;
  for (const ProfileLine& node : nodes) {
    Group& group = groups[{node.op, node.kernel, node.type}];
    ProfileLine& line = group.line;
    line.op = node.op;
    line.kernel = node.kernel;
    line.type = node.type;
    line.is_heavy = node.is_heavy;
    line.nodes += node.nodes;
    line.kernel_runs += node.kernel_runs;
    line.seconds += node.seconds;
    line.predicted_seconds += node.predicted_seconds;
    line.flops += node.flops;
    line.bytes += node.bytes;
    line.limit_seconds += node.limit_seconds;
    if (node.limit == Limit::kFlops) group.flops_limit_seconds += node.limit_seconds;
  }
  std::vector<ProfileLine> list;
  for (auto& [key, group] : groups) {
    group.line.limit =
        2 * group.flops_limit_seconds >= group.line.limit_seconds ? Limit::kFlops : Limit::kBytes;
    list.push_back(std::move(group.line));
  }
  return list;
}

int64_t text_phases(const RunReport& report) {
  return std::count_if(report.phases.begin(), report.phases.end(),
                       [](const PhaseReport& phase) { return is_text_phase(phase.name); });
}

// Wall time of the phase with what the host does around its runs, where a stopwatch ran around both: not
// where the encode stage had two of them.
double total_seconds(const Phase& phase, const RunReport& report, double run_seconds) {
  const auto steps = std::count_if(report.phases.begin(), report.phases.end(),
                                   [](const PhaseReport& own) { return is_step_phase(own.name); });
  if (is_step_phase(phase.name) && steps == 1) return sum(report.step_seconds);
  if (phase.name == phase::kDecode) return report.decode_seconds;
  if (phase.name == phase::kEncodeText && text_phases(report) == 1) return report.encode_seconds;
  return run_seconds;
}

PhaseProfile profile_phase(const Phase& phase, const PhaseRecord& record, const RunReport& report,
                           const PeakRates& peaks) {
  PhaseProfile profile;
  profile.name = phase.name;
  profile.stage = phase.stage;
  profile.runs = phase.runs();
  profile.predicted_seconds = phase.predicted_seconds();
  profile.nodes = node_lines(phase, record, peaks, profile);
  profile.groups = group_lines(profile.nodes);
  sort_by_time(profile.nodes);
  sort_by_time(profile.groups);
  const double run_seconds = sum(record.run_seconds);
  profile.total_seconds = total_seconds(phase, report, run_seconds);
  profile.wait_seconds = sum(record.stall_seconds);
  profile.other_seconds = run_seconds - profile.kernel_seconds - profile.move_seconds - profile.wait_seconds;
  profile.host_seconds = profile.total_seconds - run_seconds;
  return profile;
}

template <typename T>
ordered_json rate(T amount, double seconds) {
  return seconds > 0 && amount > 0 ? ordered_json(amount / seconds) : ordered_json();
}

ordered_json line_json(const ProfileLine& line, double phase_seconds) {
  ordered_json json = {{"op", line.op}, {"kernel", line.kernel}, {"type", line.type}};
  if (!line.name.empty()) {
    json["name"] = line.name;
    json["shape"] = line.shape;
  }
  json["nodes"] = line.nodes;
  json["kernel_runs"] = line.kernel_runs;
  json["seconds"] = line.seconds;
  json["predicted_seconds"] = line.predicted_seconds;
  json["share_of_phase"] = rate(line.seconds, phase_seconds);
  json["flops"] = line.flops;
  json["bytes"] = line.bytes;
  json["flops_per_second"] = rate(line.flops, line.seconds);
  json["bytes_per_second"] = rate(line.bytes, line.seconds);
  json["limit"] = line.limit == Limit::kFlops ? "flops" : "bytes";
  json["share_of_limit"] = rate(line.limit_seconds, line.seconds);
  return json;
}

ordered_json lines_json(const std::vector<ProfileLine>& lines, double phase_seconds, size_t top) {
  ordered_json list = ordered_json::array();
  for (size_t i = 0; i < std::min(top, lines.size()); ++i) {
    list.push_back(line_json(lines[i], phase_seconds));
  }
  return list;
}

}  // namespace

double PhaseProfile::light_seconds() const {
  double heavy = 0;
  for (const ProfileLine& line : groups) {
    if (line.is_heavy) heavy += line.seconds;
  }
  return total_seconds - wait_seconds - heavy;
}

Profile make_profile(const PlannedRun& run, const Executor& executor, const RunReport& report,
                     const PeakRates& peaks) {
  Profile profile{peaks, {}};
  for (const Phase& phase : run.plan.phases) {
    profile.phases.push_back(profile_phase(phase, executor.record(phase), report, peaks));
  }
  return profile;
}

ordered_json profile_json(const Profile& profile, size_t top) {
  const auto known = [](double value) { return value > 0 ? ordered_json(value) : ordered_json(); };
  ordered_json json;
  json["peaks"] = {{"source", "measured"},
                   {"f32_flops_per_second", known(profile.peaks.f32_flops)},
                   {"bf16_flops_per_second", known(profile.peaks.bf16_flops)},
                   {"copy_bytes_per_second", known(profile.peaks.copy_bytes)}};
  json["measured"] = {"seconds",        "*_seconds",      "*_per_second",
                      "share_of_phase", "share_of_limit", "memory.samples"};
  json["predicted"] = {"predicted_seconds", "memory.planned"};
  json["nominal"] = {"flops", "bytes"};
  json["phases"] = ordered_json::array();
  for (const PhaseProfile& phase : profile.phases) {
    json["phases"].push_back({{"name", phase.name},
                              {"stage", phase.stage},
                              {"runs", phase.runs},
                              {"total_seconds", phase.total_seconds},
                              {"kernel_seconds", phase.kernel_seconds},
                              {"move_seconds", phase.move_seconds},
                              {"waiting_seconds", phase.wait_seconds},
                              {"other_seconds", phase.other_seconds},
                              {"host_seconds", phase.host_seconds},
                              {"predicted_seconds", phase.predicted_seconds},
                              {"light_share", rate(phase.light_seconds(), phase.total_seconds)},
                              {"operators", lines_json(phase.groups, phase.total_seconds, top)},
                              {"nodes", lines_json(phase.nodes, phase.total_seconds, top)}});
  }
  return json;
}

}  // namespace snug
