#include "apps/snug/print_profile.h"

#include <algorithm>

#include <fmt/format.h>

#include "apps/snug/print_error.h"
#include "base/units.h"

namespace snug::cli {
namespace {

constexpr size_t kNodeLines = 20;

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

// As format_seconds, and finer where that shows nothing.
std::string short_time(double seconds) {
  if (seconds >= 1) return format_seconds(seconds);
  return seconds >= 1e-3 ? fmt::format("{:.3g} ms", seconds * 1e3) : fmt::format("{:.3g} µs", seconds * 1e6);
}

std::string giga(double amount, double seconds) {
  return amount > 0 && seconds > 0 ? fmt::format("{:.3g}", amount / seconds / 1e9) : "-";
}

std::string peak(double rate, const char* unit) {
  return rate > 0 ? fmt::format("{:.3g} G{}", rate / 1e9, unit) : "unknown";
}

std::string describe_line(const ProfileLine& line, double phase_seconds, ProfileBy by) {
  const std::string limit = line.limit_seconds > 0 && line.seconds > 0
                                ? fmt::format("{:.2f} {}", line.limit_seconds / line.seconds,
                                              line.limit == Limit::kFlops ? "FLOP/s" : "bytes/s")
                                : "-";
  std::string text =
      fmt::format("  {:<18} {:<28} {:<4} {:>5} {:>8} {:>6.1f} % {:>8} {:>6}  {}", line.op, line.kernel,
                  line.type, line.nodes, short_time(line.seconds), percent(line.seconds, phase_seconds),
                  giga(line.flops, line.seconds), giga(line.bytes, line.seconds), limit);
  if (by == ProfileBy::kNode) text += fmt::format("  {} {}", line.shape, printable(line.name));
  return text + "\n";
}

std::string describe_phase(const PhaseProfile& phase, ProfileBy by, std::optional<size_t> top) {
  const double total = phase.total_seconds;
  double flops = 0;
  for (const ProfileLine& line : phase.groups) flops += line.flops;
  std::string text = fmt::format("\n{}: {} {}, {} measured, {} predicted, {} GFLOP/s\n", phase.name,
                                 phase.runs, phase.runs == 1 ? "run" : "runs", short_time(total),
                                 short_time(phase.predicted_seconds), giga(flops, total));
  text += fmt::format(
      "  kernels {:.1f} %, moves and spills {:.1f} %, waiting for weights {:.1f} %, other {:.1f} %, "
      "around runs {:.1f} %\n",
      percent(phase.kernel_seconds, total), percent(phase.move_seconds, total),
      percent(phase.wait_seconds, total), percent(phase.other_seconds, total),
      percent(phase.host_seconds, total));
  text += fmt::format("  {:<18} {:<28} {:<4} {:>5} {:>8} {:>8} {:>8} {:>6}  {}\n", "operator", "kernel",
                      "type", "nodes", "time", "share", "GFLOP/s", "GB/s", "of the limit");
  const std::vector<ProfileLine>& lines = by == ProfileBy::kNode ? phase.nodes : phase.groups;
  const size_t shown =
      std::min(lines.size(), top.value_or(by == ProfileBy::kNode ? kNodeLines : lines.size()));
  double left_out = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i < shown) {
      text += describe_line(lines[i], total, by);
    } else {
      left_out += lines[i].seconds;
    }
  }
  if (shown < lines.size()) {
    text += fmt::format("  and {} more: {}, {:.1f} %\n", lines.size() - shown, short_time(left_out),
                        percent(left_out, total));
  }
  return text + fmt::format("  other than products, convolutions and attention: {:.1f} %\n",
                            percent(phase.light_seconds(), total));
}

// Scopes that took less of everything are not told.
constexpr double kLeastShare = 1e-3;

void describe_scopes(const std::vector<TimeNode>& nodes, int parent, size_t depth, double least_seconds,
                     std::string& text) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    const TimeNode& node = nodes[i];
    if (node.parent != parent || node.total_seconds() < least_seconds) continue;
    const std::string name = std::string(2 * depth, ' ') + std::string(node.name());
    text += fmt::format("  {:<32} {:>9} {:>9} {:>7}\n", printable(name), short_time(node.total_seconds()),
                        short_time(node.self_seconds()), node.count);
    describe_scopes(nodes, static_cast<int>(i), depth + 1, least_seconds, text);
  }
}

}  // namespace

std::string describe_times(const TimeTree& times) {
  double most = 0;
  for (const TimeNode& node : times.nodes()) most = std::max(most, node.total_seconds());
  std::string text = fmt::format("  {:<32} {:>9} {:>9} {:>7}\n", "scope", "time", "of its own", "times");
  describe_scopes(times.nodes(), -1, 0, kLeastShare * most, text);
  return text + "\n";
}

std::string describe_memory(const MemorySamples& memory, const RunReport& report) {
  const auto samples = memory.samples();
  if (samples.empty()) return "memory over time is unknown: the system does not tell\n\n";
  const auto most = std::max_element(samples.begin(), samples.end(), [](const auto& a, const auto& b) {
    return a.resident_bytes < b.resident_bytes;
  });
  return fmt::format(
      "memory: at most {} in {} samples, {} of it in the arena; planned {}, {} of it the arena\n\n",
      format_bytes(most->resident_bytes), samples.size(), format_bytes(most->arena_bytes),
      format_bytes(report.planned_peak_bytes), format_bytes(report.planned_arena_bytes));
}

std::string describe_profile(const Profile& profile, ProfileBy by, std::optional<size_t> top) {
  std::string text =
      fmt::format("limits, measured: f32 {}, bf16 {}, copying {}\n", peak(profile.peaks.f32_flops, "FLOP/s"),
                  profile.peaks.bf16_flops > 0 ? peak(profile.peaks.bf16_flops, "FLOP/s") : "none",
                  peak(profile.peaks.copy_bytes, "B/s"));
  text += "times are measured, FLOPs and bytes nominal; the limit is the peak that binds\n";
  for (const PhaseProfile& phase : profile.phases) text += describe_phase(phase, by, top);
  return text;
}

}  // namespace snug::cli
